"""Split a query for many ads into several, so that a pool's size does not set the collector's memory.

The bindings build the whole list before they give the first ad. ClassAd has no hash function; the last digit
of a host's name (node0017.example.org: 7) spreads the hosts of a site well enough, and where a site's names
have no digits one query gets everything, as it would without.
"""

from __future__ import annotations

_DIGITS = {1: [], 2: ["01234"], 5: ["01", "23", "45", "67"], 10: list("012345678")}


def slices(ads: int, ads_max: int, slot_name: str) -> list[str]:
    """Constraints that together select every ad once, some ads_max with each (or a tenth of them).

    slot_name: an expression that gives slot1_3@host.
    """
    parts = next((parts for parts in _DIGITS if ads <= parts * ads_max), 10)
    digits = _DIGITS[parts]
    rest = [f"{_ends_in(''.join(digits), slot_name)} =!= true"] if digits else ["true"]
    return [_ends_in(own, slot_name) for own in digits] + rest


def _ends_in(digits: str, slot_name: str) -> str:
    """The last digit before the host's first dot is one of these."""
    return f'regexp("@[^.]*[{digits}][^0-9.]*([.]|$)", {slot_name})'
