"""A machine in simulation, second by second: workers that load, grow and compute beside others."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from worker.gate.admission import admit
from worker.gate.model import (
    Decision,
    GateInput,
    GateLimits,
    GateVerdict,
    History,
    MemoryArea,
    Reason,
    ResourceEstimate,
    WorkerView,
)

GB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class WorkerKind:
    """How one kind of worker behaves. Memory rises to 60 % while it loads, to its peak over `growth_s`."""

    name: str
    estimate: ResourceEstimate
    load_s: float
    growth_s: float


@dataclass(slots=True)
class SimulatedWorker:
    name: str
    started_s: float
    noise: float
    draining_since_s: float | None = None


@dataclass(frozen=True, slots=True)
class Second:
    """What was true of the machine in one second."""

    now_s: float
    workers: int
    cpu_pct: float
    memory_pct: float
    decision: Decision


@dataclass
class Machine:
    """Cores and memory, what others use of them at a time, and the workers that the gate admitted."""

    cores: float
    memory_bytes: int
    kind: WorkerKind
    limits: GateLimits
    seed: int = 0
    others_bytes: Callable[[float], int] = lambda now_s: 800_000_000
    others_cores: Callable[[float], float] = lambda now_s: 0.2
    workers: list[SimulatedWorker] = field(default_factory=list)
    drains_s: tuple[float, ...] = ()

    def run(self, duration_s: int) -> list[Second]:
        chance = random.Random(self.seed)
        samples: deque[tuple[float, int]] = deque(maxlen=max(1, int(self.limits.window_s)))
        seconds: list[Second] = []
        started = 0
        for now_s in range(duration_s):
            self.workers = [
                w for w in self.workers if w.draining_since_s is None or now_s - w.draining_since_s < 5
            ]
            samples.append((self._cpu_pct(now_s, chance), self._memory_used_bytes(now_s)))
            decision = admit(self._load(now_s, samples), self.limits, self._history(now_s))
            if decision.verdict is GateVerdict.ADMIT:
                started += 1
                self.workers.append(SimulatedWorker(f"w{started}", now_s, chance.uniform(-0.05, 0.05)))
            elif decision.verdict is GateVerdict.DRAIN:
                self.drains_s = (*self.drains_s, now_s)
                max(self.workers, key=lambda worker: worker.started_s).draining_since_s = now_s
            cpu_pct, used_bytes = samples[-1]
            seconds.append(
                Second(now_s, len(self.workers), cpu_pct, 100 * used_bytes / self.memory_bytes, decision)
            )
        return seconds

    def view(self, now_s: float) -> tuple[GateInput, History]:
        """What the gate would be shown at that moment."""
        chance = random.Random(self.seed)
        samples = deque(
            [(self._cpu_pct(now_s, chance), self._memory_used_bytes(now_s))] * int(self.limits.window_s)
        )
        return self._load(now_s, samples), self._history(now_s)

    def _private_bytes(self, worker: SimulatedWorker, now_s: float) -> int:
        age_s = now_s - worker.started_s
        peak_bytes = self.kind.estimate.private_bytes * (0.95 + worker.noise)
        loaded = min(1.0, age_s / self.kind.load_s) * 0.6
        grown = min(1.0, max(0.0, age_s - self.kind.load_s) / self.kind.growth_s) * 0.4
        return int(peak_bytes * (loaded + grown))

    def _memory_used_bytes(self, now_s: float) -> int:
        own = sum(self._private_bytes(worker, now_s) for worker in self.workers)
        return own + (self.kind.estimate.shared_bytes if self.workers else 0) + self.others_bytes(now_s)

    def _cpu_pct(self, now_s: float, chance: random.Random) -> float:
        busy = sum(
            1.0
            if now_s - worker.started_s < self.kind.load_s
            else self.kind.estimate.cpus * chance.uniform(0.9, 1.1)
            for worker in self.workers
        )
        return min(100.0, 100 * (busy + self.others_cores(now_s)) / self.cores)

    def _load(self, now_s: float, samples: deque[tuple[float, int]]) -> GateInput:
        used = [used_bytes for _, used_bytes in samples]
        area = MemoryArea("host", sum(used) // len(used), used[-1], self.memory_bytes)
        cpu_pct = sum(cpu for cpu, _ in samples) / len(samples)
        return GateInput(now_s, float(len(samples)), cpu_pct, (area,), claimable_chunks=10_000)

    def _history(self, now_s: float) -> History:
        views = tuple(
            WorkerView(
                worker.name,
                worker.started_s,
                ready_s if (ready_s := worker.started_s + self.kind.load_s) <= now_s else None,
                self._private_bytes(worker, now_s),
                draining=worker.draining_since_s is not None,
            )
            for worker in self.workers
        )
        return History(views, self.kind.estimate, self.drains_s)


UPSTREAM = WorkerKind(
    "upstream, 5 GB and 1.3 cores", ResourceEstimate(5 * GB, 0, 1.3), load_s=25, growth_s=60
)
OURS = WorkerKind(
    "ours, 0.5 GB of which 0.335 GB shared, 1 core", ResourceEstimate(GB // 5, 335_000_000, 1.0), 1, 10
)

DEFAULT_LIMITS = GateLimits(
    cpu_pct=75,
    memory_pct=75,
    memory_high_pct=90,
    window_s=5,
    cooldown_s=60,
    failed_start_pause_s=2,
    chunk_images=500,
    image_bytes=500_000,
    temp_pct=80,
)


def binding_reason(seconds: list[Second]) -> Reason:
    """The limit that held the fleet at its final size."""
    reasons = [second.decision.reason for second in seconds[-60:]]
    return max(set(reasons), key=reasons.count)


def without_cpu(limits: GateLimits) -> GateLimits:
    """The same limits with CPU lifted: how many workers memory alone would carry."""
    return replace(limits, cpu_pct=100)
