"""What of a fleet's queue may be trouble, as the judge of health takes it."""

from __future__ import annotations

from typing import NamedTuple


class FleetQueueHost(NamedTuple):
    """A host as the fleet's queue knows it."""

    name: str
    silent_s: float | None  # None where it reports
    workers: int
    held: str  # why its workers hold back, empty where none does


class FleetQueueBatch(NamedTuple):
    """A batch; chunks are counted."""

    name: str
    failed: int
    missed: int  # their deadline
    late_s: float = 0.0  # by how much it will be ready after its deadline, at the present pace


class FleetQueue(NamedTuple):
    """All batches together, and each of them where they are known; chunks are counted."""

    failed: int
    missed: int  # their deadline
    hosts: tuple[FleetQueueHost, ...]
    hold: str = ""  # who holds the whole fleet, and why
    batches: tuple[FleetQueueBatch, ...] = ()

    def by_batch(self, figure: str) -> dict[str, int]:
        """The batches that have any of `failed` or `missed`, or the queue at large."""
        counts = {batch.name: getattr(batch, figure) for batch in self.batches}
        return {name: count for name, count in counts.items() if count} or {"queue": getattr(self, figure)}
