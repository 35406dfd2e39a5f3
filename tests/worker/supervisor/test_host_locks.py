"""The supervisors of a host let one worker warm up at a time between them."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.worker.fleet import Fleet
from worker.errors import WorkerError
from worker.queue.statistics.queue import read_figures
from worker.supervisor.host_locks import OFF, WarmUpLock, claim_host_name


@pytest.fixture
def group() -> str:
    return uuid.uuid4().hex


def test_one_at_a_time_and_who_waits_goes_first(group: str, tmp_path: Path) -> None:
    one, other = WarmUpLock(group, tmp_path), WarmUpLock(group, tmp_path)
    assert one.acquire()
    assert one.acquire(), "it has it"
    assert not other.acquire()
    one.release()
    assert not one.acquire(), "the other one waits"
    assert other.acquire()
    assert not one.acquire()
    other.release()
    assert one.acquire()


def test_who_wants_it_no_more_is_in_nobodys_way(group: str, tmp_path: Path) -> None:
    one, other = WarmUpLock(group, tmp_path), WarmUpLock(group, tmp_path)
    assert one.acquire()
    assert not other.acquire()
    other.stop_waiting()
    one.release()
    assert one.acquire()


def test_groups_and_those_who_are_alone_do_not_wait_for_each_other(group: str, tmp_path: Path) -> None:
    assert all(WarmUpLock(name, tmp_path).acquire() for name in (group, f"{group}-other", OFF, OFF))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.stop()


def test_two_supervisors_load_one_worker_at_a_time(fleet: Fleet, group: str) -> None:
    """Loading takes 1 s; the moments at which workers are started are at least so far apart, whoever does."""
    fleet.add_images("a", [bytes(number % 200 + 1) for number in range(600)])
    fleet.enqueue(chunk_images=10)
    environment = {
        "WORKER_WARM_UP_GROUP": group,
        "WORKER_STUB_S": "0.3",
        "WORKER_MAX_WORKERS": "2",
        "FAULTY_LOAD_S": "1",
    }
    supervisors = [fleet.start(WORKER_HOST_NAME=name, **environment) for name in ("vm1", "vm2")]
    fleet.wait_until(lambda: len(started_at(fleet)) == 4, "four workers")
    moments = started_at(fleet)
    assert {host for _, host in moments} == {"vm1", "vm2"}
    gaps_s = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(moments)]
    assert min(gaps_s) > 1, gaps_s
    decisions = read_figures(fleet.database_url).decisions
    assert any("another supervisor" in decision.text for decision in decisions)
    for supervisor in supervisors:
        supervisor.terminate()
    for supervisor in supervisors:
        assert fleet.wait(supervisor) == 0, fleet.said()


def started_at(fleet: Fleet) -> list[tuple[float, str]]:
    """When each worker was started, and its host, as their supervisors' logs say."""
    lines = [line for log in fleet.folder.glob("supervisor-*.log") for line in log.read_text().splitlines()]
    return sorted(
        (datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp(), line.split("spawned: ")[1][:3])
        for line in lines
        if "spawned: " in line
    )


def test_no_other_user_can_take_a_lock(group: str, tmp_path: Path) -> None:
    name, held = claim_host_name("vm", tmp_path / "state")
    assert (name, held is not None) == ("vm", True)
    assert WarmUpLock(group, tmp_path / "state").acquire()
    assert claim_host_name("vm", tmp_path / "state")[0].startswith("vm-"), "another supervisor has it"
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    for file in (tmp_path / "state").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, file


@pytest.mark.parametrize("end", ["next", "lock"])
def test_a_lock_that_cannot_be_had_holds_no_worker_back(
    end: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"warm-up.g.{end}").mkdir()
    locks = WarmUpLock("g", tmp_path)
    for _ in range(2):
        assert locks.acquire()
        locks.release()
        locks.stop_waiting()
    (told,) = caplog.messages
    assert (
        told
        == f"{tmp_path}/warm-up.g.{end}: Is a directory: other supervisors of this host are not waited for"
    )


def test_a_state_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(WorkerError, match=f"every user can write there: chmod o-w {tmp_path}"):
        claim_host_name("vm", tmp_path)
    tmp_path.chmod(0o750)
    assert claim_host_name("vm", tmp_path)[0] == "vm"
    (tmp_path / "host.vm2.lock").mkdir()  # as little to be had as another user's
    with pytest.raises(
        WorkerError, match=rf"^WORKER_STATE_DIR={tmp_path}: Is a directory: .*/host\.vm2\.lock$"
    ):
        claim_host_name("vm2", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(WorkerError, match=r"WORKER_STATE_DIR=.*file"):
        claim_host_name("vm", tmp_path / "file")
