"""Sources in processes of their own: what they gave, how failures are called, what a killed run leaves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from collector.isolate import SourceOutcome, Task, run_isolated
from collector.model import CloudVm, Collected, Machine, Placement, read_collected, write_collected
from collector.sources.programs import ProgramFailed
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


def test_errors_of_this_program_come_as_their_text_others_with_their_class() -> None:
    def own() -> Collected:
        raise ProgramFailed("x: ended with status 1")

    def foreign() -> Collected:
        raise LookupError("no such oracle")

    assert run_one(own).error == "x: ended with status 1"
    outcome = run_one(foreign)
    assert (outcome.error, outcome.answered) == ("LookupError: no such oracle", False)


def test_outcomes_keep_the_order_of_their_tasks() -> None:
    outcomes = run_isolated({name: Task(Collected, 20) for name in ("c", "a", "b")})
    assert [outcome.source for outcome in outcomes] == ["c", "a", "b"]


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
            lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(),
            "the program",
            process=run,
        )
        second = run_collector(environment=environment)
        assert second.returncode == 4
        assert "another run is still going" in second.stderr
    finally:
        run.kill()
        run.communicate()
    wait_until(lambda: not alive(int((tmp_path / "pid").read_text())), "the end of the program")
    third = run_collector(environment=environment | {"COLLECTOR_COMMANDS": "slow = /bin/echo x 1"})
    assert third.returncode == 3  # nobody listens on port 1, but the lock was free
