"""Dividing too little room: by order of interest, or evenly (pure)."""

from __future__ import annotations

from collections.abc import Sequence


def shares_by_interest(wanted: Sequence[int], room: int) -> list[int]:
    """What each gets, the most interesting first: half of what is left, and what the later ones do not need.

    All is given out where more is wanted than there is room, and nothing is ever kept from the last for the
    sake of a first one that could fill everything.
    """
    shares, later = [], sum(wanted)
    for amount in wanted:
        later -= amount
        shares.append(min(amount, max((room + 1) // 2, room - later)))
        room -= shares[-1]
    return shares


def even_shares(wanted: Sequence[int], room: int) -> list[int]:
    """The same for each, but to nobody more than it wants."""
    shares = [0] * len(wanted)
    smallest_first = sorted(range(len(wanted)), key=wanted.__getitem__)
    for done, index in enumerate(smallest_first):
        shares[index] = min(wanted[index], room // (len(wanted) - done))
        room -= shares[index]
    return shares
