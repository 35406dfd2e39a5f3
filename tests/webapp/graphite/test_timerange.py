"""Times, zones and ranges as people and scripts write them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.errors import RequestRefused
from webapp.graphite.timerange import Range, parse_range, parse_time, parse_zone

TIMES = json.loads((Path(__file__).parents[2] / "data/times.json").read_text())
NOW = 1_800_000_000.0


def test_times_are_those_of_the_table_that_the_browser_reads_too() -> None:
    zone = parse_zone(TIMES["zone"])
    for text, expected in TIMES["cases"]:
        if expected is None:
            with pytest.raises(RequestRefused, match="from="):
                parse_time("from", text, TIMES["now"], zone)
        else:
            assert parse_time("from", text, TIMES["now"], zone) == expected, text


def test_a_time_without_offset_is_meant_in_the_zone() -> None:
    assert parse_time("from", "2024-07-01T12:00", NOW, parse_zone("Europe/Vienna")) == 1_719_828_000


def test_zones_do_not_depend_on_what_the_system_has() -> None:
    """Names as browsers send them, which Debian has in a package of their own."""
    program = "import sys; from webapp.graphite.timerange import parse_zone; [*map(parse_zone, sys.argv[1:])]"
    names = [
        "Asia/Calcutta",
        "Europe/Kiev",
        "Asia/Katmandu",
        "America/Buenos_Aires",
        "Etc/GMT+5",
        "Europe/Kyiv",
    ]
    environment = os.environ | {"PYTHONTZPATH": ""}
    done = subprocess.run([sys.executable, "-c", program, *names], env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "text", ["", "Nowhere/City", "../../etc/passwd", "/etc/localtime", "Europe", "UTC\x00", "a" * 99]
)
def test_other_zones_are_refused(text: str) -> None:
    with pytest.raises(RequestRefused, match="tz="):
        parse_zone(text)


def test_ranges_are_bounded() -> None:
    assert parse_range("-1h", "now", NOW, UTC, 10) == Range(int(NOW) - 3600, int(NOW), is_age=True)
    for pair, said in (
        (("now", "-1h"), "before"),
        (("now", "now"), "before"),
        (("-11d", "now"), "at most 10 days"),
    ):
        with pytest.raises(RequestRefused, match=said):
            parse_range(*pair, NOW, UTC, 10)


@given(st.text(max_size=30))
def test_no_text_raises_anything_else(text: str) -> None:
    for parse in (lambda: parse_time("from", text, NOW, UTC), lambda: parse_zone(text)):
        with suppress(RequestRefused):
            parse()
