"""Sources in processes of their own: deadlines, deaths, leftovers, and what a killed run leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_monitor.system import progress
from cloud_monitor.system.progress import split_messages
from collector.isolate import SourceOutcome, Task, run_isolated
from collector.model import CloudVm, Collected, Machine, Placement, read_collected, write_collected
from tests.collector.support import ROOT, collector_environment, run_collector, write_script
from tests.services.support import wait_until

FULL = Collected(
    values=(("a.b", 1.0), ("c", 0.5)),
    machines=(Machine("h", "c", "t", 1, ("slot1_1",), 2.0, 3.0), Machine("i")),
    placements=(Placement("h", "all", "running", 3),),
    vms=(CloudVm("c", "t", "running", ("h", "i")), CloudVm("c", "t", "error")),
    complaints=("half of it",),
)


def run_one(collect: Callable[[], Collected], timeout_s: float = 10) -> SourceOutcome:
    return run_isolated({"it": Task(collect, timeout_s)})[0]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_is_collected_crosses_unchanged() -> None:
    assert read_collected(write_collected(FULL)) == FULL
    outcome = run_one(lambda: FULL)
    assert outcome.collected == FULL
    assert outcome.error == "half of it"
    assert outcome.answered


def test_an_answer_larger_than_a_pipe_crosses_whole() -> None:
    many = Collected(values=tuple((f"grids.g.x{number}", float(number)) for number in range(100_000)))
    assert run_one(lambda: many).collected == many


def test_tasks_run_side_by_side_and_answer_in_their_order() -> None:
    def wait(seconds: float) -> Collected:
        time.sleep(seconds)
        return Collected(values=((f"slept.{seconds}", 1.0),))

    started = time.monotonic()
    outcomes = run_isolated({str(s): Task(lambda s=s: wait(s), 20) for s in (2.0, 1.9, 1.8)})  # type: ignore[misc]
    assert time.monotonic() - started < 5
    assert [outcome.source for outcome in outcomes] == ["2.0", "1.9", "1.8"]
    assert all(outcome.error is None for outcome in outcomes)


def test_a_late_source_is_killed_with_what_it_started_and_says_what_it_was_at(tmp_path: Path) -> None:
    def hang() -> Collected:
        progress.report("asking the oracle")
        child = subprocess.Popen(["sleep", "600"])
        (tmp_path / "pid").write_text(str(child.pid))
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        time.sleep(600)
        return Collected()

    outcome = run_one(hang, timeout_s=3)
    assert outcome.error == "no answer within 3 s while asking the oracle, so it was stopped"
    assert not outcome.answered
    wait_until(lambda: not alive(int((tmp_path / "pid").read_text())), "the end of its child")


def test_an_error_arrives_with_its_type_and_text() -> None:
    def fail() -> Collected:
        raise LookupError("no such oracle")

    assert run_one(fail).error == "LookupError: no such oracle"


@pytest.mark.parametrize(
    ("end", "told"),
    [(lambda: os.kill(os.getpid(), signal.SIGKILL), "signal SIGKILL"), (lambda: os._exit(7), "status 7")],
)
def test_a_source_that_dies_is_told(end: Callable[[], None], told: str) -> None:
    def die() -> Collected:
        progress.report("touching libcondor")
        end()
        return Collected()

    outcome = run_one(die)
    assert outcome.error == f"its process ended without an answer while touching libcondor ({told})"


def test_output_of_a_source_does_not_mix_with_the_lines(capfd: pytest.CaptureFixture[str]) -> None:
    def talk() -> Collected:
        os.write(1, b"chatter\n")
        return Collected()

    assert run_one(talk).error is None
    assert capfd.readouterr() == ("", "chatter\n")


def test_half_an_answer_is_none() -> None:
    assert split_messages(b"") == ("", b"", b"")
    assert split_messages(b"N\0\0\0\0\0\0\0\2hi" + b"A\0\0\0\0\0\0\0\5abc") == ("hi", b"", b"")
    assert split_messages(b"N\0\0\0\0\0\0\0\2hi" + b"A\0\0\0\0\0\0\0\3abc") == ("hi", b"A", b"abc")


def test_a_killed_run_leaves_no_process_and_no_lock(tmp_path: Path) -> None:
    script = write_script(tmp_path / "slow", f"echo $$ > {tmp_path}/pid; exec sleep 600")
    environment = collector_environment(
        tmp_path / "state",
        "127.0.0.1:1",
        SOURCES="commands",
        COMMANDS=f"slow = {script}",
        COMMAND_TIMEOUT_S=30,
    )
    run = subprocess.Popen(
        [sys.executable, "-m", "collector"], env=environment, cwd=ROOT, stderr=subprocess.PIPE
    )
    try:
        wait_until(
            lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), "the program"
        )
        second = run_collector(environment=environment)
        assert second.returncode == 4
        assert "another run is still going" in second.stderr
    finally:
        run.kill()
        run.communicate()
    wait_until(lambda: not alive(int((tmp_path / "pid").read_text())), "the end of the program", timeout_s=5)
    third = run_collector(environment=environment | {"COLLECTOR_COMMANDS": "slow = /bin/echo x 1"})
    assert third.returncode == 3  # nobody listens on port 1, but the lock was free
