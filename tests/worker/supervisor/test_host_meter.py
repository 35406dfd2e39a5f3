"""What a supervisor tells of its host beside what the gate looks at."""

from __future__ import annotations

import time
from pathlib import Path

from cloud_monitor.system.gpu import GpuReader
from cloud_monitor.system.usage import read_disk, read_host_sample
from worker.supervisor.averages import Averages
from worker.supervisor.reports import HostMeter


def test_figures_of_this_host_are_told_and_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    averages = Averages(60)
    meter = HostMeter(tmp_path, GpuReader("libno-such-nvml.so", tmp_path), tmp_path)
    first = read_host_sample()
    averages.add(first)
    assert meter.read(averages) == {"storage_pct": read_disk(tmp_path).used_pct}, "one sample has no rate"
    time.sleep(0.01)
    averages.add(read_host_sample(first))
    found = meter.read(averages)
    assert found.keys() == {"storage_pct", "net_in", "net_out"}
    assert min(found.values()) >= 0
    away = HostMeter(tmp_path / "away", GpuReader("libno-such-nvml.so", tmp_path), tmp_path)
    assert "storage_pct" not in away.read(averages)
