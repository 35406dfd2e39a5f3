"""A failure is told when it begins, once an hour, and when it is over."""

from __future__ import annotations

import logging
from pathlib import Path

from cloud_monitor.repeated_failures import OngoingFailure, RepeatedFailures
from tests.collector.support import collector_environment, peer, read_to_end, run_collector
from tests.services.disks import fill, small_disk


def run(file: Path, now: float, *errors: str, warnings: tuple[str, ...] = ()) -> list[str]:
    """What one run at that time tells of these errors."""
    log, told = logging.getLogger(f"run{now}"), []
    failures = RepeatedFailures(file, lambda: now)

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    handler = Keep()
    log.addHandler(handler)
    log.addFilter(failures)
    log.propagate = False
    for line in errors:
        log.error("%s", line)
    for line in warnings:
        log.warning("%s", line)
    return told + failures.finish()


def test_begun_going_on_and_over(tmp_path: Path) -> None:
    file = tmp_path / "failures.json"
    assert run(file, 0, "carbon:2004: 12 points not delivered") == ["carbon:2004: 12 points not delivered"]
    for minute in range(1, 60):
        assert run(file, minute * 60, f"carbon:2004: {minute} points not delivered", warnings=("w",)) == ["w"]
    assert run(file, 3600, "carbon:2004: 7 points not delivered", "disk full") == [
        "still fails, for 1 h (61 runs): carbon:2004: 7 points not delivered",
        "disk full",
    ]
    assert run(file, 3660, "carbon:2004: 9 points not delivered") == [
        "well again after 1 min (1 run): disk full"
    ]
    assert run(file, 3720) == ["well again after 1 h 2 min (62 runs): carbon:2004: 9 points not delivered"]
    assert run(file, 3780) == []
    assert run(file, 3840, "disk full") == ["disk full"]
    assert run(file, 3900, "host:1: refused") == [
        "host:1: refused",
        "well again after 1 min (1 run): disk full",
    ]
    assert run(file, 3960, "host:1: hangs") == ["host:1: hangs"]  # not well


def test_lines_that_differ_in_numbers_alone_are_all_told_once(tmp_path: Path) -> None:
    two = ("schedd1: refused", "schedd2: refused")
    assert run(tmp_path / "file", 0, *two) == [*two]
    assert run(tmp_path / "file", 60, *two) == []
    assert run(tmp_path / "file", 3600, *two) == ["still fails, for 1 h (3 runs): schedd1: refused"]


def test_a_clock_set_back_and_a_broken_memory_hide_nothing(tmp_path: Path) -> None:
    file = tmp_path / "failures.json"
    assert run(file, 10_000, "x") == ["x"]
    assert run(file, 4_000, "x") == ["still fails, for 0 s (2 runs): x"]
    file.write_text('{"x": {"line": 3}}')
    assert run(file, 4_060, "x") == ["x"]
    assert run(tmp_path / "absent/failures.json", 0, "x") == ["x"]
    assert run(tmp_path / "absent/failures.json", 60, "x") == ["x"]


def test_a_run_under_cron_tells_of_a_dead_carbon_once_and_of_its_return(tmp_path: Path) -> None:
    dead = collector_environment(tmp_path, "127.0.0.1:1")
    told = [run_collector(environment=dead).stderr.splitlines() for _ in range(2)]
    assert any("connection refused" in line for line in told[0])
    assert told[1] == []
    with peer(read_to_end) as carbon:
        other = run_collector(environment=collector_environment(tmp_path, carbon)).stderr
    assert "well again after" in other
    assert "connection refused" in other


def test_a_run_on_a_disk_that_has_filled_is_told_of_once(tmp_path: Path) -> None:
    """What is remembered from run to run was given its room when there was some."""
    with small_disk(tmp_path / "disk", 1_000_000) as disk, peer(read_to_end) as carbon:
        well = collector_environment(disk / "state", carbon)
        assert run_collector(environment=well).stderr == ""
        filler = fill(disk)
        dead = collector_environment(disk / "state", "127.0.0.1:1")
        first, *others = (run_collector(environment=dead).stderr for _ in range(3))
        assert f"cannot keep points: {disk}/state/spool/" in first
        assert "database or disk is full" in first
        assert others == ["", ""]
        filler.unlink()
        assert "well again after" in run_collector(environment=well).stderr


def test_what_goes_on_failing_is_told_hourly_until_it_has_been_well_for_a_while() -> None:
    now = 1000.0
    failing = OngoingFailure(60, lambda: now)
    assert failing.end() == ""
    assert failing.is_to_be_told("disk 1 is full")
    now += 59
    assert failing.end() == ""
    assert not failing.is_to_be_told("disk 2 is full")
    assert failing.is_to_be_told("refused")
    now += 3599
    assert not failing.is_to_be_told("refused")
    now += 1
    assert failing.is_to_be_told("refused")
    now += 60
    assert (failing.end(), failing.end()) == ("refused", "")
    assert failing.is_to_be_told("refused")
