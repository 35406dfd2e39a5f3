"""Whether anything that a fleet has, or can have, carries what a batch states (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from worker.queue import StatedNeed
from worker.queue.machines.machines import GroupRow


def why_nothing_carries(need: StatedNeed, groups: Iterable[GroupRow], hosts: Mapping[str, StatedNeed]) -> str:
    """By name, what each group's largest place has; "" where one carries it, a host does, or no group is
    known, for then workers come from elsewhere.
    """
    known = {group.name: group.places for group in groups if group.places}
    rooms = [offer.room_of_worker for places in known.values() for offer in places]
    if not known or any(need.fits(room) for room in (*rooms, *hosts.values())):
        return ""
    largest = (
        f"{name} ({'; '.join(f'{offer.place}: {offer.room_of_worker}' for offer in places)})"
        for name, places in sorted(known.items())
    )
    return f"no group of machines carries a worker of {need}: {', '.join(largest)}"
