"""The words of tables: headings, units, the order of names, hold reasons."""

from __future__ import annotations

import pytest

from cloud_monitor.metrics.catalog import METRICS
from cloud_monitor.metrics.paths import build_path
from webapp.model.build import build_snapshot
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Value
from webapp.pages.cells import format_number
from webapp.pages.fleet import workers_table
from webapp.pages.jobs import reason_of
from webapp.pages.tables import figure_label, natural, words

NOW = 1_800_000_000


def test_slots_are_sorted_as_people_count() -> None:
    assert sorted(["slot1_10", "slot1_2", "slot2_1"], key=natural) == ["slot1_2", "slot1_10", "slot2_1"]
    assert words("transferring_output") == "Transferring output"


def test_hold_reasons_are_named() -> None:
    assert reason_of("34") == "34 JobOutOfResources: used more memory, disk or CPU than it had asked for"
    assert reason_of("4") == "4 CorruptedCredential"
    assert reason_of("9999") == "9999"
    assert reason_of("x") == "x"


@pytest.mark.parametrize(
    ("name", "path", "label"),
    [
        ("recent_wait_sum_s", "grids.g.condor.schedd.s.recent_wait_sum_s", "Recent wait sum, s"),
        ("net_in", "grids.g.sysinfo.net_in", "Net in, B/s"),
        ("ram_mb", "grids.g.sysinfo.ram_mb", "RAM, MiB"),
        ("temp_mb", "grids.g.fleet.hosts.h.temp_mb", "Temp, MB"),
        ("cpu_pct", "grids.g.fleet.hosts.h.cpu_pct", "CPU, %"),
        ("points", "grids.g.collector.points", "Points"),
        ("anything", "", "Anything"),
    ],
)
def test_figures_are_labelled_with_their_unit(name: str, path: str, label: str) -> None:
    assert figure_label(name, path) == label


def test_every_figure_of_a_worker_host_that_is_published_has_a_column() -> None:
    values = [
        Value(build_path(metric.key, grid="g", host="w"), 8000.0, NOW)
        for metric in METRICS
        if metric.family == "fleet_hosts"
    ]
    view = SnapshotView(build_snapshot(NOW, values), PollOutcome(), NOW, 180)
    table = workers_table("g", view.snapshot.grids[0].fleet, view)
    assert {column.metric.replace("$", "w") for column in table.columns} == {
        value.path.removeprefix("grids.g.") for value in values
    }
    assert "Temp limit, MB" in {column.label for column in table.columns}
    assert [cell.text for cell in table.rows[0].cells] == [format_number(8000)] * len(values)
