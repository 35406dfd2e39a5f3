"""What is read of a queue, as values, and when each batch will be ready by them (pure). Times named `_at` are
seconds since the epoch by the database's clock, as `at` is; those named `_s` are spans.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from worker.answers.confidence import DOUBTFUL_BELOW
from worker.queue.hold import FleetHold
from worker.queue.model import ResultRow

SILENT_S = 120  # a host that has not reported for so long is gone
HELD_BACK = "held back: "  # how the reason of a worker begins whose host cannot do what others can


@dataclass(frozen=True, slots=True)
class BatchFigures:
    name: str
    source: str
    priority: int
    deadline: float | None
    model: str | None
    paused: bool
    created_at: float
    chunks: Mapping[str, int]  # by state, all states
    images: Mapping[str, int]  # by status, all statuses
    missed: int  # chunks not done by their deadline
    met: int  # chunks done by it
    cpu_s: float
    doubtful: int = 0  # results whose least confidence is low
    ended_at: float | None = None  # of its last chunk; None while there is work left
    documents: int = 0  # images left that may be files of several pages: `images` counts at least


@dataclass(frozen=True, slots=True)
class ChunkFigures:
    """An active chunk, or one in the dead letter."""

    id: int
    name: str
    batch: str
    state: str
    priority: int  # as raised by a nearing deadline
    deadline: float | None
    worker: str | None
    host: str | None
    attempt: int
    images_total: int
    images_done: int
    started_at: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class DecisionFigures:
    host: str
    subject: str  # spawn | claim | drain
    admitted: bool
    reason: str
    text: str
    times: int  # in a row
    first_at: float
    last_at: float
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class HostFigures:
    name: str
    seen_at: float
    alive: bool  # reported within SILENT_S
    environment: str
    workers: int
    loading: int
    cpu_pct: float
    memory_pct: float
    temp_bytes: int
    figures: Mapping[str, float]
    workers_detail: tuple[Mapping[str, str | int | float | None], ...]
    decisions: tuple[DecisionFigures, ...]  # the last on each subject, newest first
    version: str = ""  # of the software that it runs; "": an earlier one, which does not say

    @property
    def held(self) -> tuple[str, ...]:
        """Why workers hold back, of each that does: their host cannot do what others can."""
        reasons = (str(worker.get("held_reason") or "") for worker in self.workers_detail)
        return tuple(reason for reason in reasons if reason.startswith(HELD_BACK))


@dataclass(frozen=True, slots=True)
class EventFigures:
    at: float
    kind: str
    message: str
    host: str
    worker: str
    chunk: int | None


@dataclass(frozen=True, slots=True)
class QueueFigures:
    at: float
    chunks: Mapping[str, int]  # pending active done failed cancelled
    paused: int  # of the pending ones; all of them while the fleet is held
    images: Mapping[
        str, int
    ]  # pending active done failed cancelled; failed: the result is an error, or there is none
    images_per_s: float  # over the last minute
    oldest_pending_s: float | None
    deadlines: Mapping[str, int]  # chunks: met, missed, open
    next_deadline: float | None  # of chunks that are neither done nor late
    failures: Mapping[str, int]  # images by kind of error
    attempts: Mapping[str, int]  # claims by how they ended: done released failed crashed expired cancelled
    batches: tuple[BatchFigures, ...]  # newest first
    active: tuple[ChunkFigures, ...]
    dead: tuple[ChunkFigures, ...]  # the newest of the dead letter
    hosts: tuple[HostFigures, ...]
    events: tuple[EventFigures, ...]  # newest first
    decisions: tuple[DecisionFigures, ...]  # newest first
    latest: tuple[ResultRow, ...]  # newest first
    documents: int = 0  # images left that may be files of several pages: `images` counts at least
    doubtful_below: float = DOUBTFUL_BELOW  # least confidence, by which results were counted as doubtful
    hold: FleetHold | None = None  # over the whole fleet

    def held_by(self, hold: FleetHold | None) -> QueueFigures:
        return self if hold is None else replace(self, hold=hold, paused=self.chunks["pending"])

    @property
    def eta_s(self) -> float | None:
        """Until nothing is left at the present rate; None while nothing moves."""
        left = self.images["pending"] + self.images["active"]
        if left == 0:
            return 0.0
        return left / self.images_per_s if self.images_per_s > 0 else None

    @property
    def versions(self) -> Mapping[str, int]:
        """How many hosts run each, of those that report. The first is the one to compare with: of the highest
        number that which most have."""
        counts = Counter(host.version for host in self.hosts if host.alive)
        order = sorted(counts, key=lambda version: (_number(version), counts[version], version), reverse=True)
        return {version: counts[version] for version in order}

    @property
    def cost_per_1000_images(self) -> float | None:
        """From the hosts' own `price_per_hour`; None where none says it, or nothing moves."""
        prices = [
            host.figures["price_per_hour"]
            for host in self.hosts
            if host.alive and "price_per_hour" in host.figures
        ]
        if not prices or self.images_per_s <= 0:
            return None
        return sum(prices) / 3600 / self.images_per_s * 1000


@dataclass(frozen=True, slots=True)
class Forecast:
    """`ready_at` is None where nothing moves, or the batch is paused; `images_per_s` is its share of the
    pace.
    """

    left: int
    ready_at: float | None
    images_per_s: float
    waits_for: str = ""  # the batch that is read before this one


def _number(version: str) -> tuple[int, ...]:
    """`0.12.1+g1a2b3c4` as (0, 12, 1); of what is none nothing."""
    number = re.match(r"\d{1,9}(\.\d{1,9})*", version, re.ASCII)
    return tuple(map(int, number[0].split("."))) if number else ()


def left_of(batch: BatchFigures) -> int:
    """Images without a result that may still get one."""
    return batch.images["pending"] + batch.images["active"]


def forecast(figures: QueueFigures) -> Mapping[str, Forecast]:
    """By name of the batch. Batches are read in the order in which their chunks are claimed, all that is left
    of one before the next; paused ones are left out.
    """
    shares = _shares(figures.active)
    found: dict[str, Forecast] = {}
    ahead, before = 0, ""
    for batch in in_order(figures.batches):
        left = left_of(batch)
        pace = figures.images_per_s * shares.get(batch.name, 0.0)
        if batch.paused or not left:
            found[batch.name] = Forecast(left, None, pace if left else 0.0)
            continue
        ahead += left
        ready_at = figures.at + ahead / figures.images_per_s if figures.images_per_s > 0 else None
        waits_for = "" if batch.name in shares else before
        found[batch.name] = Forecast(left, ready_at, pace, waits_for)
        before = batch.name
    return found


def in_order(batches: Sequence[BatchFigures]) -> list[BatchFigures]:
    """As they are claimed, but for what a near deadline changes: the figures have the newest first."""
    oldest_first = list(reversed(batches))
    return sorted(
        oldest_first,
        key=lambda batch: (-batch.priority, batch.deadline is None, batch.deadline or 0.0),
    )


def _shares(active: Sequence[ChunkFigures]) -> Mapping[str, float]:
    """Of the pace, by batch: each active chunk has as much."""
    counts: dict[str, int] = {}
    for chunk in active:
        counts[chunk.batch] = counts.get(chunk.batch, 0) + 1
    return {name: count / len(active) for name, count in counts.items()}
