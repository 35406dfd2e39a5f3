"""What becomes of VMs and jobs from one list to the next: changes, gone, unlisted, back again, forgotten."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.listings import job, listing, vm
from tests.webapp.sample import NOW
from webapp.inventory.history import CHANGES_MAX, begin, leave, proceed
from webapp.inventory.model import Change, JobRecord, TrackedRecord, VmRecord
from webapp.inventory.payload import read_payload
from webapp.inventory.query import RecordQuery
from webapp.inventory.reader import open_reader
from webapp.inventory.store import OlderList, keyed, store_payload

HOUR_S = 3600.0
DAY_S = 86400.0


class Grid:
    """A grid's lists in a folder, sent one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, at: int, vms: Any = None, jobs: Any = None, **more: Any) -> None:
        read = read_payload(json.dumps(listing(at, vms, jobs, **more)).encode())
        store_payload(self.folder, "belle", read, now=at, keep_gone_s=HOUR_S, forget_after_s=DAY_S)

    def record(self, list_name: str, key: str) -> TrackedRecord | None:
        with open_reader(self.folder, "belle") as reader:
            assert reader is not None
            return reader.record(list_name, key)

    def keys(self, list_name: str, **filters: Any) -> list[str]:
        with open_reader(self.folder, "belle") as reader:
            assert reader is not None
            return [record.key for record in reader.find(list_name, RecordQuery(**filters), 1000).records]


@pytest.fixture
def grid(tmp_path: Path) -> Grid:
    return Grid(tmp_path)


def test_a_status_history_grows_with_each_change_and_not_without(grid: Grid) -> None:
    for minute, status in enumerate(["starting", "starting", "running", "running", "error"]):
        grid.send(NOW + 60 * minute, [vm("a", status, busy_slots=minute)])
    found = grid.record("vms", "a")
    assert found is not None
    assert found.changes == (("starting", "", NOW), ("running", "", NOW + 120), ("error", "", NOW + 240))
    assert (found.first_seen_at, found.since, found.gone_at) == (NOW, NOW + 240, None)
    assert isinstance(found.record, VmRecord)
    assert found.record.busy_slots == 4


def test_times_are_the_sources_own_where_they_fit(grid: Grid) -> None:
    grid.send(NOW, jobs=[job("1.0", "idle", schedd="", since=NOW - 900)])
    grid.send(NOW + 60, jobs=[job("1.0", "running", schedd="", since=NOW + 42, host="a")])
    grid.send(NOW + 120, jobs=[job("1.0", "held", schedd="", since=NOW - 5000)])
    grid.send(NOW + 180, jobs=[job("1.0", "idle", schedd="", since=NOW + 9999)])
    found = grid.record("jobs", "1.0")
    assert found is not None
    assert [change.at - NOW for change in found.changes] == [-900, 42, 120, 180]


def test_a_job_that_was_started_again_in_between_has_changed(grid: Grid) -> None:
    grid.send(NOW, jobs=[job("1.0", host="a", schedd="", since=NOW - 10)])
    grid.send(NOW + 60, jobs=[job("1.0", host="a", schedd="", since=NOW + 30, starts=2)])
    grid.send(NOW + 120, jobs=[job("1.0", host="b", schedd="", since=NOW + 30, starts=2)])
    found = grid.record("jobs", "1.0")
    assert found is not None
    assert found.changes == (
        ("running", "a", NOW - 10),
        ("running", "a", NOW + 30),
        ("running", "b", NOW + 120),
    )


def test_gone_then_back_then_gone_for_good(grid: Grid) -> None:
    grid.send(NOW, [vm("a"), vm("b")])
    grid.send(NOW + 60, [vm("b")])
    gone = grid.record("vms", "a")
    assert gone is not None
    assert (gone.status, gone.record.status, gone.gone_at) == ("gone", "running", NOW + 60)
    assert grid.keys("vms") == ["b", "a"]
    assert grid.keys("vms", status="gone") == ["a"]
    assert grid.keys("vms", status="running") == ["b"]
    grid.send(NOW + 120, [vm("a"), vm("b")])
    back = grid.record("vms", "a")
    assert back is not None
    assert back.gone_at is None
    assert [change.status for change in back.changes] == ["running", "gone", "running"]
    grid.send(NOW + 180, [vm("b")])
    grid.send(NOW + 180 + 3600, [vm("b")])
    assert grid.record("vms", "a") is not None
    grid.send(NOW + 180 + 3660, [vm("b")])
    assert grid.record("vms", "a") is None


def test_what_a_cut_list_leaves_out_is_not_called_gone(grid: Grid) -> None:
    grid.send(
        NOW, jobs=[job("1.0", schedd=""), job("2.0", schedd="")], jobs_cut=True, jobs_total={"idle": 900}
    )
    grid.send(NOW + 60, jobs=[job("2.0", schedd="")], jobs_cut=True, jobs_total={"idle": 900})
    found = grid.record("jobs", "1.0")
    assert found is not None
    assert found.status == "unlisted"
    assert grid.keys("jobs") == ["2.0"]
    assert grid.keys("jobs", status="unlisted") == ["1.0"]


def test_the_same_number_on_two_schedds_is_two_jobs(grid: Grid) -> None:
    grid.send(NOW, jobs=[job("1.0", schedd="a"), job("1.0", "held", schedd="b")])
    assert grid.keys("jobs") == ["1.0@b", "1.0@a"]
    with open_reader(grid.folder, "belle") as reader:
        assert reader is not None
        assert sorted(reader.jobs_called("1.0")) == ["1.0@a", "1.0@b"]
        assert reader.jobs_called("1_0") == []


def test_two_vms_of_one_name_are_told_apart(grid: Grid) -> None:
    grid.send(NOW, [vm("a"), vm("a", cloud="uvic"), vm("a#2"), vm("a")])
    assert grid.keys("vms") == ["a", "a#2", "a#2#2", "a#3"]


def test_twenty_thousand_of_one_name_take_no_time_to_tell_apart() -> None:
    assert len(keyed([VmRecord("a", "running")] * 20_000)) == 20_000


def test_what_is_gone_is_bounded(grid: Grid) -> None:
    for batch in range(3):
        jobs = [job(f"{batch}.{number}", schedd="") for number in range(1500)]
        grid.send(NOW + 60 * batch, jobs=jobs)
    with open_reader(grid.folder, "belle") as reader:
        assert reader is not None
        part = reader.find("jobs", RecordQuery(), 10)
    assert part.by_status == {"running": 1500, "gone": 2000}


def test_an_older_list_changes_nothing(grid: Grid) -> None:
    grid.send(NOW, [vm("a")])
    with pytest.raises(OlderList, match=str(NOW - 60)):
        grid.send(NOW - 60, [vm("b")])
    assert grid.keys("vms") == ["a"]


def test_lists_of_grids_long_silent_are_forgotten_when_a_new_one_comes(tmp_path: Path) -> None:
    read = read_payload(b'{"version": 1, "taken_at": 1, "vms": []}')
    store_payload(tmp_path, "old", read, now=NOW, keep_gone_s=HOUR_S, forget_after_s=DAY_S)
    os.utime(tmp_path / "old.sqlite", (NOW - 2 * DAY_S, NOW - 2 * DAY_S))
    store_payload(tmp_path, "new", read, now=NOW, keep_gone_s=HOUR_S, forget_after_s=DAY_S)
    assert [file.name for file in tmp_path.glob("*.sqlite")] == ["new.sqlite"]


STATUSES = st.sampled_from(["idle", "running", "held"])
STEPS = st.lists(
    st.tuples(
        st.integers(-100, 300),
        st.none() | STATUSES,
        st.sampled_from(["", "a", "b"]),
        st.none() | st.integers(0, 10**6),
    ),
    max_size=120,
)


@given(STEPS)
def test_a_history_is_bounded_in_order_and_ends_in_what_is(
    steps: list[tuple[int, str | None, str, int | None]],
) -> None:
    at = 10_000
    changes = begin(JobRecord("1.0", "idle"), at)
    for step_s, status, host, since in steps:
        at += step_s
        before = changes
        if status is None:
            changes = leave(changes, "gone", at)
            assert changes[-1].status == "gone"
        else:
            changes = proceed(changes, JobRecord("1.0", status, host=host, since=since), at)
            assert (changes[-1].status, changes[-1].host) == (status, host)
        assert len(changes) <= CHANGES_MAX
        assert changes[: len(before)] == before or len(before) == CHANGES_MAX
    times = [change.at for change in changes]
    assert times == sorted(times)
    assert all(isinstance(change, Change) for change in changes)
