"""The host's figures averaged over the last seconds: what the gate is shown (pure)."""

from __future__ import annotations

from collections import deque

from cloud_monitor.system.usage import HostSample, Rates, rates_between
from worker.gate.model import MemoryArea


class Averages:
    """Keeps the samples of the last `window_s` seconds."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._samples: deque[HostSample] = deque()

    def add(self, sample: HostSample) -> None:
        self._samples.append(sample)
        while len(self._samples) > 2 and self.covered_s - self._step_s(0) >= self._window_s:
            self._samples.popleft()

    @property
    def started(self) -> bool:
        return bool(self._samples)

    @property
    def oom_kills(self) -> int:
        """How many the kernel did within the window."""
        return self.latest.oom_kills - self._samples[0].oom_kills

    @property
    def latest(self) -> HostSample:
        return self._samples[-1]

    @property
    def covered_s(self) -> float:
        """The time between the first sample and the last."""
        return self._samples[-1].monotonic_s - self._samples[0].monotonic_s if self._samples else 0.0

    @property
    def cpu_pct(self) -> float:
        """Each sample's figure holds since the one before it; full use while nothing is known."""
        spans = [
            (sample.cpu_pct, self._step_s(index))
            for index, sample in enumerate(list(self._samples)[1:])
            if sample.cpu_pct is not None
        ]
        seconds = sum(step_s for _, step_s in spans)
        return sum(cpu_pct * step_s for cpu_pct, step_s in spans) / seconds if seconds else 100.0

    @property
    def rates(self) -> Rates | None:
        """Over the window; None without two samples of one boot."""
        return rates_between(self._samples[0], self.latest) if self._samples else None

    @property
    def memory(self) -> tuple[MemoryArea, ...]:
        """Of each limit that the last sample knows, over the samples that know it too."""
        return tuple(
            MemoryArea(use.name, self._average_used_bytes(use.name), use.used_bytes, use.limit_bytes)
            for use in self.latest.memory
        )

    @property
    def pressure_pct(self) -> dict[str, float]:
        pressure = self.latest.pressure
        known = {"cpu": pressure.cpu_pct, "memory": pressure.memory_pct}
        return {kind: value for kind, value in known.items() if value is not None}

    def _average_used_bytes(self, name: str) -> int:
        used = [use.used_bytes for sample in self._samples for use in sample.memory if use.name == name]
        return sum(used) // len(used)

    def _step_s(self, index: int) -> float:
        return self._samples[index + 1].monotonic_s - self._samples[index].monotonic_s
