"""The head node's own figures: which, in which unit, and rates between two runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloud_monitor.metrics.catalog import METRICS
from cloud_monitor.metrics.paths import clean, parse_path
from cloud_monitor.system.usage import Counters, Disk, HostSample, MemoryUse, Pressure, Rates
from collector.sources.host import collect, host_values
from tests.collector.support import make_settings

GIB = 1 << 30
SAMPLE = HostSample(
    monotonic_s=100.0,
    load_1min=1.5,
    cpus=2.0,
    cpu_pct=None,
    memory=(MemoryUse("host", 4 * GIB, 16 * GIB), MemoryUse("cgroup /a", 3 * GIB, 4 * GIB)),
    swap_total_bytes=8 * GIB,
    swap_used_bytes=2 * GIB,
    pressure=Pressure(1.0, 2.0, 3.0),
    oom_kills=0,
    counters=Counters("boot", 0, 0, 0, 0, ()),
)
RATES = Rates(swapped_in_bytes_s=2048, swapped_out_bytes_s=4096, net_in_bytes_s=5000, net_out_bytes_s=700)
DISKS = (Disk("/", 100, 20), Disk("/var/lib", 100, 90), Disk("/root", 100, 50))
ABOVE = "grids.g.sysinfo."
OF_TWO_SAMPLES = {f"{ABOVE}{name}" for name in ("cpu", "si", "so", "net_in", "net_out")}


def test_every_figure_is_given_in_its_unit() -> None:
    found = dict(host_values(make_settings(), SAMPLE, 37.5, RATES, DISKS))
    assert {path.removeprefix(ABOVE): value for path, value in found.items()} == {
        "load": 1.5,
        "cores": 2.0,
        "cpu": 37.5,
        "ram": 75.0,
        "ram_mb": 4096.0,
        "swap": 25.0,
        "si": 2.0,
        "so": 4.0,
        "net_in": 5000,
        "net_out": 700,
        "disk": 80.0,
        "disks.root": 80.0,
        f"disks.{clean('var/lib')}": 10.0,
        f"disks.{clean('/root')}": 50.0,
        "pressure.cpu": 1.0,
        "pressure.memory": 2.0,
        "pressure.io": 3.0,
    }
    in_the_catalog = {one.key for one in METRICS if one.template.startswith("grids.{grid}.sysinfo.")}
    assert {parse_path(path).metric.key for path in found} == in_the_catalog


def test_what_could_not_be_measured_is_left_out() -> None:
    found = dict(host_values(make_settings(), SAMPLE, None, None, ()))
    assert found.keys() & (OF_TWO_SAMPLES | {f"{ABOVE}disk"}) == set()
    assert found[f"{ABOVE}load"] == 1.5


def test_rates_are_those_since_the_last_run(tmp_path: Path) -> None:
    settings, kept = make_settings(tmp_path, host_disks="/"), tmp_path / "host.json"
    assert dict(collect(settings).values).keys() >= OF_TWO_SAMPLES
    row = json.loads(kept.read_bytes())
    row["monotonic_s"] -= 100
    row["counters"]["net_in_bytes"] -= 5_000_000
    kept.write_text(json.dumps(row))
    received = dict(collect(settings).values)[f"{ABOVE}net_in"]
    assert received > 50_000 * 0.5
    written = kept.read_bytes()
    collect(settings, keep_state=False)
    assert kept.read_bytes() == written


def _older(row: dict[str, Any]) -> object:
    return {**row, "monotonic_s": row["monotonic_s"] - 700}


def _of_another_boot(row: dict[str, Any]) -> object:
    return {**row, "counters": {**row["counters"], "boot_id": "another"}}


@pytest.mark.parametrize(
    "change", [_older, _of_another_boot, lambda row: [], lambda row: {"monotonic_s": "x"}]
)
def test_a_sample_of_another_time_or_boot_is_not_compared_with(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    settings, kept = make_settings(tmp_path, host_disks="/"), tmp_path / "host.json"
    collect(settings)
    row = json.loads(kept.read_bytes())
    row["counters"]["net_in_bytes"] -= 10**15
    kept.write_text(json.dumps(change(row)))
    received = dict(collect(settings).values)[f"{ABOVE}net_in"]
    assert 0 <= received < 10**12


def test_a_disk_that_is_not_there_is_named_and_the_others_figures_are_sent(tmp_path: Path) -> None:
    collected = collect(make_settings(tmp_path, host_disks=f"{tmp_path}/gone"))
    assert collected.complaints == (f"{tmp_path}/gone: No such file or directory",)
    assert f"{ABOVE}load" in dict(collected.values)
