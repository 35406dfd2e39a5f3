"""Every figure of the catalog as a gauge: names that stay, base units, labels that are escaped."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from cloud_monitor.metrics.catalog import METRICS
from cloud_monitor.metrics.paths import build_path
from tests.services.needs import find_program
from webapp.metrics.gauges import GAUGES, expose_grids
from webapp.model.build import GridOrder, build_snapshot
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Value

NOW = 1_800_000_000

# What 0.1.0 exposed of grids: users' rules and dashboards name it.
KEPT = {
    "cloud_monitor_grid_heartbeat": {"grid", "service"},
    "cloud_monitor_grid_jobs": {"grid", "type", "status"},
    "cloud_monitor_cloud_vms": {"grid", "cloud", "state"},
    "cloud_monitor_cloud_vms_idle": {"grid", "cloud"},
    "cloud_monitor_cloud_vms_lost": {"grid", "cloud"},
    "cloud_monitor_cloud_vms_unregistered": {"grid", "cloud"},
    "cloud_monitor_cloud_quota_vms": {"grid", "cloud"},
    "cloud_monitor_cloud_enabled": {"grid", "cloud"},
    "cloud_monitor_grid_cores": {"grid", "share"},
    "cloud_monitor_host_cpu_percent": {"grid"},
    "cloud_monitor_host_memory_percent": {"grid"},
    "cloud_monitor_host_swap_percent": {"grid"},
    "cloud_monitor_host_disk_percent": {"grid"},
    "cloud_monitor_host_load1": {"grid"},
    "cloud_monitor_fleet_host_cpu_percent": {"grid", "host"},
    "cloud_monitor_fleet_host_memory_percent": {"grid", "host"},
    "cloud_monitor_fleet_host_workers": {"grid", "host"},
    "cloud_monitor_fleet_chunks": {"grid", "status"},
    "cloud_monitor_fleet_images": {"grid", "status"},
    "cloud_monitor_fleet_deadlines": {"grid", "status"},
}

texts = st.text(st.characters(exclude_characters=".", exclude_categories=["Cs"]), min_size=1, max_size=12)


def view_of(*values: Value, hidden: frozenset[str] = frozenset()) -> SnapshotView:
    return SnapshotView(build_snapshot(NOW, values, GridOrder(hidden=hidden)), PollOutcome(), NOW, 180)


def samples_of(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, sample
            found[key] = sample.value
    return found


def every_metric() -> list[Value]:
    """A value of each metric of the catalog."""
    return [
        Value(
            build_path(
                metric.key, **{field: f"some-{field}" for field in re.findall(r"\{(\w+)\}", metric.template)}
            ),
            2.0,
            NOW,
        )
        for metric in METRICS
    ]


def test_every_metric_is_exposed_and_what_users_name_stays() -> None:
    labels: dict[str, set[str]] = {}
    for name, pairs in samples_of(expose_grids(view_of(*every_metric()))):
        labels[name] = {label for label, _ in pairs}
    assert KEPT.items() <= labels.items()
    assert {gauge.name for gauge in GAUGES.values()} <= labels.keys()
    own = {metric.key.removeprefix("host_") for metric in METRICS}
    assert own - {key.removeprefix("host_") for key in GAUGES} == {"live_host", "proof"}


def test_gauges_of_one_name_have_the_same_labels_and_text() -> None:
    by_name: dict[str, set[tuple[object, ...]]] = {}
    for gauge in GAUGES.values():
        by_name.setdefault(gauge.name, set()).add((gauge.labels, gauge.text, gauge.factor))
    assert {name: found for name, found in by_name.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("path", "name", "labels", "value"),
    [
        ("grids.g.commands.disk.inodes", "command", {"command": "disk", "figure": "inodes"}, 3),
        ("grids.g.commands.disk.var.free", "command_grouped",
         {"command": "disk", "group": "var", "figure": "free"}, 3),
        ("grids.g.fleet.hosts.w.temp_mb", "fleet_host_temp_bytes", {"host": "w"}, 3e6),
        ("grids.g.fleet.hosts.w.temp_limit_mb", "fleet_host_temp_limit_bytes", {"host": "w"}, 3e6),
        ("grids.g.fleet.images_per_s", "fleet_images_per_second", {}, 3),
        ("grids.g.fleet.chunks.paused", "fleet_chunks", {"status": "paused"}, 3),
        ("grids.g.hosts.h.sysinfo.cpu", "further_host_cpu_percent", {"host": "h"}, 3),
        ("grids.g.hosts.h.heartbeat.condor", "further_grid_heartbeat", {"host": "h", "service": "condor"}, 3),
        ("grids.g.sysinfo.net_in", "host_net_in_bytes_per_second", {}, 3),
        ("grids.g.sysinfo.si", "host_swapped_in_bytes_per_second", {}, 3072),
        ("grids.g.memory_mb.total", "grid_memory_bytes", {"share": "total"}, 3 * 2**20),
        ("grids.g.wait.all.p95_s", "grid_wait_p95_seconds", {"type": "all"}, 3),
    ],
)  # fmt: skip
def test_figures_are_given_in_base_units(path: str, name: str, labels: dict[str, str], value: float) -> None:
    found = samples_of(expose_grids(view_of(Value(path, 3.0, NOW))))
    assert found == {(f"cloud_monitor_{name}", frozenset({"grid": "g", **labels}.items())): value}


def test_hidden_grids_old_values_and_foreign_paths_are_left_out() -> None:
    text = expose_grids(
        view_of(
            Value("grids.secret.sysinfo.cpu", 1.0, NOW),
            Value("grids.g.sysinfo.cpu", 1.0, NOW - 181),
            Value("grids.g.nothing.known", 1.0, NOW),
            hidden=frozenset({"secret"}),
        )
    )
    assert text == ""


@given(texts, texts)
def test_any_name_is_read_back_as_it_was(grid: str, user: str) -> None:
    text = expose_grids(view_of(Value(f"grids.{grid}.users.{user}.idle", 5.0, NOW)))
    key = ("cloud_monitor_grid_users", frozenset({("grid", grid), ("user", user), ("status", "idle")}))
    assert samples_of(text) == {key: 5.0}


def test_promtool_finds_no_fault_with_any_of_them() -> None:
    ran = subprocess.run(
        [find_program("promtool", "prometheus"), "check", "metrics"],
        input=expose_grids(view_of(*every_metric())).encode(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, (ran.stdout + ran.stderr).decode()
