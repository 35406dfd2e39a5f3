"""docs/small-machine.md: tables and plot are what the kept record gives, and give the right figures."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from bench.process_use import read_use
from tools.small_machine_plot import HEIGHT, WIDTH, apart, draw_plot
from tools.small_machine_tables import (
    PAGE,
    PLOT,
    RECORD,
    fill_page,
    memory_table,
    request_table,
    use_table,
    when_line,
)

SVG = "{http://www.w3.org/2000/svg}"
EDGE = {
    "series": 2016,
    "seconds": 180,
    "polls_missed": 0,
    "visits": {"pages": 360, "failed": 1, "p50_ms": 4.5, "p99_ms": 20.1},
    "load": [1.0, 3.0, 2.0],
    "cpu_s": {"web": 6.0, "collector": 3.0, "store": 1.5},
    "written_mb": {"web": 1.0, "collector": 2.0, "store": 3.0},
    "between_mb": [
        {"web": 40.0, "collector": 0.5, "store": 30.0},
        {"web": 44.0, "collector": 0.5, "store": 35.0},
        {"web": 42.0, "collector": 0.5, "store": 40.0},
    ],
    "alone_mb": [90.0, 100.0, 95.0],
    "peaks_mb": [
        {"web": 42.0, "collector": 50.0, "store": 31.0},
        {"web": 45.0, "collector": 52.0, "store": 36.0},
        {"web": 44.0, "collector": 40.0, "store": 40.0},
    ],
}
DEFAULT = {
    **EDGE,
    "seconds": 60,
    "visits": {"pages": 120, "failed": 0, "p50_ms": 5.5, "p99_ms": 30.0},
    "cpu_s": {"web": 2.0, "collector": 1.0, "carbon": 1.0, "graphite": 2.0},
    "written_mb": {"web": 1.0, "collector": 1.0, "carbon": 2.0, "graphite": 0.0},
    "between_mb": [{"web": 44.0, "collector": 0.5, "carbon": 38.0, "graphite": 60.0}],
    "alone_mb": [150.0],
    "peaks_mb": [{"web": 44.0, "collector": 50.0, "carbon": 40.0, "graphite": 60.0}],
    "load": [1.0],
}
KEPT: dict[str, Any] = {
    "began_at": 1_795_920_000,
    "cpus": 2,
    "step_s": 60,
    "limits_mb": {"web": 80.0, "store": 150.0, "all": 300.0},
    "installed_mb": 50.0,
    "burst": {"pages": 1000, "failed": 0, "p50_ms": 15.0, "p99_ms": 92.0, "per_s": 449},
    "killed": 0,
    "profiles": {"edge": EDGE, "default": DEFAULT},
}


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_the_page_has_what_the_kept_record_gives() -> None:
    record = json.loads(RECORD.read_text())
    page = PAGE.read_text()
    assert fill_page(page, record) == page
    assert memory_table(record) in page
    assert PLOT.read_text() == draw_plot(record)


def test_memory_between_runs_and_at_the_highest_moment() -> None:
    head, _, *rows = cells(memory_table(KEPT))
    assert head[:5] == ["memory, MB", "page", "collector", "store", "all"]
    assert rows == [
        ["between two runs, median", "42", "0.5", "35", "80", "142", "~90"],
        ["between two runs, most", "44", "0.5", "40", "82", "142", ""],
        ["between two runs, as if nothing else ran here", "", "", "", "95", "150", ""],
        ["at the highest moment", "45", "52", "36", "133", "194", "~150"],
        ["limit", "80", "", "150", "300", "none", ""],
    ]


def test_memory_where_no_limit_could_be_set_and_no_frames_be_seen() -> None:
    record = copy.deepcopy(KEPT) | {"limits_mb": None}
    record["profiles"]["edge"]["alone_mb"] = [None, None, None]
    rows = {row[0]: row[1:] for row in cells(memory_table(record))}
    assert rows["limit"] == ["", "", "", "", "none", ""]
    assert rows["between two runs, as if nothing else ran here"] == ["", "", "", "", "150", ""]


def test_use_a_minute_and_an_hour() -> None:
    assert cells(use_table(KEPT))[2:] == [
        ["CPU-seconds a minute", "2.0", "1.0", "0.5", "3.5", "6.0"],
        ["MB written to disk an hour", "20.0", "40.0", "60.0", "120.0", "240.0"],
    ]


def test_requests() -> None:
    assert [row[1:] for row in cells(request_table(KEPT))[2:]] == [
        ["360", "1", "4.5", "20.1", "2"],
        ["1,000", "0", "15.0", "92.0", "449"],
        ["120", "0", "5.5", "30.0", "2"],
    ]


def test_when_and_under_which_load() -> None:
    line = when_line(KEPT)
    assert line.startswith(
        "Measured on 29 November 2026 over 3 minutes, and 1 with Carbon and Graphite, with 2,016"
    )
    assert "the load average was 1 to 3, 2 in the middle" in line


def test_the_plot_draws_each_minute_on_its_scale() -> None:
    """Its axis goes to 160 MB, above the store's limit of 150."""
    drawn = ET.fromstring(draw_plot(KEPT))
    lines = {line.get("class"): line.get("points", "").split() for line in drawn.iter(f"{SVG}polyline")}
    assert set(lines) == {"peak", "all", "web", "store", "collector"}
    heights = {name: [float(point.split(",")[1]) for point in points] for name, points in lines.items()}
    places = [float(point.split(",")[0]) for point in lines["web"]]
    assert places == [52, 331, 610]
    zero, top, bottom = heights_of_scale(drawn)
    assert (zero, top) == (bottom, 16)
    for name, expected_mb in {"web": [40, 44, 42], "store": [30, 35, 40], "peak": [123, 133, 124]}.items():
        shown_mb = [160 * (bottom - y) / (bottom - 16) for y in heights[name]]
        assert shown_mb == pytest.approx(expected_mb, abs=0.1)
    texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert {"memory (PSS), MB", "minutes since the start", "limit of the page", "limit of the store"} <= set(
        texts
    )
    assert drawn.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"


def heights_of_scale(drawn: ET.Element) -> tuple[float, float, float]:
    """Of 0 and of the highest grid line, and the axis."""
    lines = [path.get("d", "") for path in drawn.iter(f"{SVG}path") if path.get("class") == "grid"]
    ys = [float(line.partition(" ")[2].partition("H")[0]) for line in lines]
    assert len(ys) == 9
    return ys[0], ys[-1], max(ys)


def test_what_a_child_used_counts_once_it_was_waited_for() -> None:
    before = read_use(os.getpid())
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True)
    assert read_use(os.getpid()).since(before).cpu_s >= 0.29


def test_labels_do_not_cover_each_other() -> None:
    assert apart([(30, "c"), (10, "a"), (12, "b")], 15) == [(10, "a"), (25, "b"), (40, "c")]
