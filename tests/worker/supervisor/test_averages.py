"""Averages over the window: weighted by time, of each memory limit by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloud_monitor.system.usage import HostSample, MemoryUse, read_host_sample
from worker.supervisor.averages import Averages


@pytest.fixture(scope="module")
def sample() -> HostSample:
    return read_host_sample()


def fill(sample: HostSample, *steps: tuple[float, float, int]) -> Averages:
    """Steps of (moment in s, CPU in %, bytes used)."""
    averages = Averages(5)
    for moment_s, cpu_pct, used_bytes in steps:
        memory = (MemoryUse("host", used_bytes, 1000),)
        averages.add(replace(sample, monotonic_s=moment_s, cpu_pct=cpu_pct, memory=memory))
    return averages


def test_nothing_is_covered_by_one_sample(sample: HostSample) -> None:
    averages = fill(sample, (10, 0, 1))
    assert (averages.covered_s, averages.cpu_pct) == (0, 100)


def test_cpu_is_weighted_by_time(sample: HostSample) -> None:
    averages = fill(sample, (0, 0, 1), (1, 100, 1), (4, 20, 1))
    assert averages.cpu_pct == pytest.approx((100 * 1 + 20 * 3) / 4)


def test_old_samples_leave_but_the_window_stays_covered(sample: HostSample) -> None:
    averages = fill(sample, *((float(second), 50 if second < 10 else 80, second) for second in range(20)))
    assert averages.covered_s == 5
    assert averages.cpu_pct == 80
    area = averages.memory[0]
    assert (area.used_bytes, area.latest_bytes, area.limit_bytes) == (16, 19, 1000)


def test_a_limit_that_appears_is_averaged_over_the_samples_that_know_it(sample: HostSample) -> None:
    averages = fill(sample, (0, 0, 100), (1, 0, 100))
    memory = (MemoryUse("host", 400, 1000), MemoryUse("cgroup /a", 30, 50))
    averages.add(replace(sample, monotonic_s=2, cpu_pct=0, memory=memory))
    assert {area.name: area.used_bytes for area in averages.memory} == {"host": 200, "cgroup /a": 30}
