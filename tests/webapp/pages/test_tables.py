"""The words of tables: headings, units, the order of names, hold reasons."""

from __future__ import annotations

import pytest

from webapp.pages.jobs import reason_of
from webapp.pages.tables import figure_label, natural, words


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
