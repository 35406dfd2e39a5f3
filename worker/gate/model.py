"""What the gate is shown and what it says: plain values.

Percentages are 0..100; times are seconds of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MB = 1_000_000


class GateVerdict(StrEnum):
    ADMIT = "admit"
    HOLD = "hold"
    DRAIN = "drain"


class Reason(StrEnum):
    """What decided: the limit that binds, or what the gate waits for before it looks at limits."""

    ROOM = "room"
    MEASURING = "measuring"
    PREPARING = "preparing"
    WARMING = "warming"
    SETTLING = "settling"
    COOLING = "cooling"
    BACKING_OFF = "backing_off"
    QUEUE = "queue"
    NO_WORK = "no_work"
    CPU = "cpu"
    CPU_NEED = "cpu_need"
    MEMORY = "memory"
    MEMORY_NEED = "memory_need"
    MEMORY_NEVER = "memory_never"  # no waiting will help
    MEMORY_HIGH = "memory_high"
    PRESSURE = "pressure"
    WORKERS = "workers"
    TEMP_USED = "temp_used"
    TEMP_LEFT = "temp_left"
    ACTIVE_CHUNKS = "active_chunks"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its reason, a sentence for people, and the figures it was taken on."""

    verdict: GateVerdict
    reason: Reason
    text: str
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def admitted(self) -> bool:
        return self.verdict is GateVerdict.ADMIT


MARGIN = 1.1  # of an estimate, over the peak that was seen


@dataclass(frozen=True, slots=True)
class ResourceEstimate:
    """What one worker takes: memory of its own, memory that all workers share once, and CPUs."""

    private_bytes: int
    shared_bytes: int = 0
    cpus: float = 1.0


@dataclass(frozen=True, slots=True)
class WorkerMemory:
    """The most that a worker had of its own, and what it shares with the others."""

    private_bytes: int
    shared_bytes: int


@dataclass(frozen=True, slots=True)
class MemoryArea:
    """One limit that counts (the host's, a cgroup's, an allotment) and what is used under it.

    `used_bytes` is the average over the window, `latest_bytes` the last sample. What workers do not use of an
    allotment nobody does.
    """

    name: str
    used_bytes: int
    latest_bytes: int
    limit_bytes: int
    is_allotment: bool = False

    @property
    def used_pct(self) -> float:
        return 100 * self.used_bytes / self.limit_bytes


@dataclass(frozen=True, slots=True)
class TempUse:
    """Temporary storage: our own files (with what running chunks have reserved) and what they may take; or
    why that is not known.
    """

    used_bytes: int
    limit_bytes: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class GateInput:
    """What is known at one moment, CPU and memory averaged over the last `covered_s` seconds. `preparing`
    says what is still done to the model, or why it failed; "" when workers can load it.
    """

    now_s: float
    covered_s: float
    cpu_pct: float
    memory: tuple[MemoryArea, ...]
    pressure_pct: Mapping[str, float] = field(default_factory=dict)
    temp: TempUse | None = None
    active_chunks: int = 0
    claimable_chunks: int = 1
    queue_error: str = ""
    preparing: str = ""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker of this host as its supervisor sees it. `ready_s` is when it had loaded, None before."""

    name: str
    started_s: float
    ready_s: float | None
    private_bytes: int
    busy: bool = True
    draining: bool = False
    need: ResourceEstimate | None = None  # what it was started for; None: as the next one


@dataclass(frozen=True, slots=True)
class History:
    """The host's workers, what one of them takes, and the setbacks that call for patience."""

    workers: tuple[WorkerView, ...]
    estimate: ResourceEstimate
    drains_s: tuple[float, ...] = ()
    failed_starts_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class GateLimits:
    """What an operator set. None: nothing of the kind binds; a percentage of 100 lifts that limit."""

    cpu_pct: float
    memory_pct: float
    memory_high_pct: float
    window_s: float
    cooldown_s: float
    failed_start_pause_s: float
    chunk_images: int
    image_bytes: int  # on disk until it is read, with its thumbnail
    temp_pct: float
    pressure_pct: Mapping[str, float] = field(default_factory=dict)
    max_active_chunks: int | None = None
    max_workers: int | None = None
    cpus: float | None = None
    thumbnail_bytes: int = 0  # on disk of an image that was read, until its chunk is at an end
    memory_promised_pct: float = 100.0  # for what workers are known to reach, up to memory_high_pct

    @property
    def promised_pct(self) -> float:
        return min(self.memory_promised_pct, self.memory_high_pct)

    @property
    def chunk_bytes(self) -> int:
        """What one chunk is reckoned to take of temporary storage."""
        return self.chunk_images * self.image_bytes
