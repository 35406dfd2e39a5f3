"""The plain values that go into the queue and come out of it, and its errors.

Times are seconds since the epoch, by the database's clock, unless the name says otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from worker.answers.confidence import least_confidence, mean_confidence
from worker.answers.notes import Note
from worker.answers.page_names import image_hash
from worker.errors import WorkerError


@dataclass(frozen=True, slots=True)
class StatedNeed:
    """What one worker takes at least while it works on a batch, as an operator stated; None: as learned."""

    memory_mb: int | None = None  # of 10^6 bytes, with what workers share
    cpus: float | None = None

    def fits(self, room: StatedNeed) -> bool:
        """Whether `room` has all of it; its None is: no limit."""
        pairs = ((self.memory_mb, room.memory_mb), (self.cpus, room.cpus))
        return all(need is None or there is None or need <= there for need, there in pairs)

    def with_more(self, other: StatedNeed) -> StatedNeed:
        """The larger of each."""
        return StatedNeed(
            max(self.memory_mb or 0, other.memory_mb or 0) or None,
            max(self.cpus or 0, other.cpus or 0) or None,
        )

    def __str__(self) -> str:
        parts = (
            "" if self.memory_mb is None else f"{self.memory_mb:,} MB",
            "" if self.cpus is None else f"{self.cpus:g} CPUs",
        )
        return " and ".join(part for part in parts if part) or "what was learned"


NO_NEED = StatedNeed()


@dataclass(frozen=True, slots=True)
class Batch:
    id: int
    name: str
    source: str  # URL of the storage the images are in
    priority: int  # 1 to 3, 3 is the most urgent
    deadline: float | None
    model: str | None  # the model asked for; None: whichever the worker has
    need: StatedNeed = NO_NEED


@dataclass(frozen=True, slots=True)
class Added:
    """What one directory brought that was not in the batch before."""

    chunks: int
    images: int


def now_s() -> float:
    """A clock that also runs while the machine is suspended or the process stopped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Lease:
    """Counted from before the database was asked, so that it never ends here later than there."""

    until: float  # by now_s()

    def remaining_s(self) -> float:
        return self.until - now_s()


@dataclass(frozen=True, slots=True)
class QueuedImage:
    number: int  # within its chunk, from 0
    name: str  # within its directory
    quarantined: bool = False  # was in flight when a worker crashed: to be tried alone
    page: int | None = None  # of the file, from 1 on; None: it has one, or nobody has looked


@dataclass(frozen=True, slots=True)
class Claim:
    chunk: int
    token: int
    name: str
    batch: str
    source: str  # URL of the storage; a key is directory + "/" + image name below it
    directory: str  # "" is the source itself
    attempt: int  # how many times the chunk has been claimed, with this one
    priority: int
    deadline: float | None
    images_total: int
    images: tuple[QueuedImage, ...]  # without a result yet, quarantined ones first
    lease: Lease

    @property
    def folder(self) -> str:
        """Where the chunk's files are put, below it the token."""
        return f"{self.batch}/{self.chunk}"

    def with_lease(self, lease: Lease) -> Claim:
        return replace(self, lease=lease)

    def with_pages(self, pages: tuple[QueuedImage, ...]) -> Claim:
        """With more images, of a file that turned out to have several pages."""
        return replace(self, images=self.images + pages, images_total=self.images_total + len(pages))

    def key(self, image: QueuedImage) -> str:
        return f"{self.directory}/{image.name}" if self.directory else image.name


@dataclass(frozen=True, slots=True)
class Result:
    """What is stored of one image. Engine and model are those of the claim; confidences keep single
    precision.
    """

    number: int
    smiles: str | None
    tokens: tuple[str, ...] = ()
    confidences: tuple[float, ...] = ()  # parallel to tokens
    truncated: bool = False
    error: str | None = None  # short and named, e.g. "TruncatedImage: ..."; then smiles is None
    precision: str = "full"  # full | fast
    sha256: str = ""  # of the image's bytes, in hexadecimal; "" when it was never read
    notes: tuple[Note, ...] = ()

    @property
    def least_confidence(self) -> float | None:
        return least_confidence(self.confidences)

    @property
    def mean_confidence(self) -> float | None:
        return mean_confidence(self.confidences)


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A result with where it came from."""

    batch: str
    chunk: int
    image: str  # key below the batch's source
    result: Result
    engine: str
    model: str
    worker: str
    host: str
    stored_at: float
    more: Mapping[str, Any] = field(default_factory=dict)  # what an export adds

    @property
    def image_hash(self) -> str:
        """Tells the picture from any other, whatever it is called."""
        return image_hash(self.result.sha256, self.image)


@dataclass(frozen=True, slots=True)
class Usage:
    """What running the chunk cost its worker."""

    cpu_s: float = 0
    peak_memory_bytes: int = 0
    wall_s: float = 0


@dataclass(frozen=True, slots=True)
class QueueTarget:
    """What an operator's command is about: a whole batch, or one chunk of it."""

    batch: str | None = None
    chunk: int | None = None


@dataclass(frozen=True, slots=True)
class Outstanding:
    """Chunks that are not at an end. Nothing is left when pending and active are 0: paused ones wait for a
    human, unreadable ones for a worker with another model than the one asked about.
    """

    pending: int  # may be claimed now or after their backoff
    active: int
    paused: int
    next_in_s: float | None  # until the first pending one may be claimed; 0: now; None: none is pending
    unreadable: int = 0  # neither pending nor paused
    stated: tuple[tuple[StatedNeed, int], ...] = ()  # of the pending ones: those that state a need, how many


@dataclass(frozen=True, slots=True)
class UsageStatistics:
    """What chunks of an engine took of their workers."""

    peak_memory_bytes: int
    cpus: float  # used on average while working


@dataclass(frozen=True, slots=True)
class MaintenanceRound:
    """What a round of maintenance changed."""

    expired: int = 0  # leases that ran out
    raised: int = 0  # priorities raised because the deadline nears
    missed: int = 0  # deadlines passed
    given_up: int = 0  # of the leases that ran out: chunks that had as many faults as they may have


@dataclass(frozen=True, slots=True)
class HostReport:
    """A host's last word about itself; `figures` holds whatever else its supervisor measures, by name with
    unit.
    """

    host: str
    environment: str
    workers: int
    loading: int  # of them, still loading their model
    cpu_pct: float
    memory_pct: float
    temp_bytes: int
    figures: Mapping[str, float] = field(default_factory=dict)
    workers_detail: tuple[
        Mapping[str, str | int | float | None], ...
    ] = ()  # one a worker: name, pid, chunk, ...
    version: str = ""  # of the software


@dataclass(frozen=True, slots=True)
class DecisionNote:
    """One decision of the gate. Equal ones in a row (host, subject, admitted, reason) are kept as one with a
    count.
    """

    host: str
    subject: str  # spawn | claim | drain
    admitted: bool
    reason: str
    figures: Mapping[str, float] = field(default_factory=dict)
    text: str = ""  # a sentence for people; of equal decisions the newest is kept


class QueueError(WorkerError):
    """Something about the queue; the message says what."""


class LeaseLost(QueueError):
    """The chunk is no longer held: the lease ran out, was released, or the chunk was cancelled. Nothing was
    written.
    """


class QueueRefused(QueueError):
    """What was asked for makes no sense: no such batch or chunk, a name taken by another source, a newer
    schema.
    """


class QueueUnavailable(QueueError):
    """The database could not be reached, or did not answer, for as long as the settings say to try."""
