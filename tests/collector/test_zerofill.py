"""What vanished is 0 for a day: counts of sources that answered, and nothing else."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collector.zerofill import FILL_S, merge_seen, read_seen, write_seen, zero_paths

NOW = 1_700_000_040
JOBS = "grids.g.clouds.c.vms.big.running"
WELL = {"cloudscheduler", "clouds"}


def test_a_vanished_count_is_zero_for_a_day() -> None:
    assert zero_paths({JOBS: NOW - 60}, set(), WELL, "g", NOW) == [JOBS]
    assert zero_paths({JOBS: NOW - FILL_S}, set(), WELL, "g", NOW) == [JOBS]
    assert zero_paths({JOBS: NOW - FILL_S - 60}, set(), WELL, "g", NOW) == []


def test_gauges_failed_sources_other_grids_and_present_paths_are_not_filled() -> None:
    assert zero_paths({"grids.g.sysinfo.load": NOW - 60}, set(), {"host"}, "g", NOW) == []
    assert zero_paths({JOBS: NOW - 60}, set(), {"condor_jobs"}, "g", NOW) == []
    assert zero_paths({JOBS: NOW - 60}, set(), WELL, "h", NOW) == []
    assert zero_paths({JOBS: NOW - 60}, {JOBS}, WELL, "g", NOW) == []
    assert zero_paths({"of.an.older.version": NOW - 60}, set(), WELL, "g", NOW) == []


def test_filling_does_not_prolong_itself() -> None:
    seen = {JOBS: NOW - 60}
    for minute in range(3):
        seen = merge_seen(seen, [], NOW + 60 * minute)
    assert seen == {JOBS: NOW - 60}
    assert merge_seen(seen, [], NOW + 2 * FILL_S) == {}


def test_a_clock_that_was_ahead_does_not_keep_a_path_for_ever() -> None:
    assert merge_seen({JOBS: NOW + 10 * FILL_S}, [], NOW) == {JOBS: NOW}


@given(st.dictionaries(st.text(max_size=9), st.integers(0, 2**40), max_size=9))
def test_the_file_gives_back_what_was_written(seen: dict[str, int]) -> None:
    path = Path("/dev/shm") / f"seen-{abs(hash(tuple(seen.items())))}.json"
    try:
        write_seen(path, seen)
        assert read_seen(path) == seen
    finally:
        path.unlink(missing_ok=True)


def test_a_broken_file_is_an_empty_one(tmp_path: Path) -> None:
    for text in ("", "{", "[1]", '{"a": "x"}', "7"):
        (tmp_path / "seen.json").write_text(text)
        assert read_seen(tmp_path / "seen.json") == {}
    assert read_seen(tmp_path / "absent") == {}
