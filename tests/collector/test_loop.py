"""`--every`: what waits between the runs, how it ends, and what ends with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from collector.loop import RUN_OF, loop_command
from tests.collector.support import ROOT, collector_environment
from tests.services.support import PATIENCE_S, wait_until

QUIET = {"SOURCES": "commands", "COMMAND_TIMEOUT_S": 30, "GRID": "g"}


def children(pid: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def start(tmp_path: Path, every_s: int, command: str) -> subprocess.Popen[str]:
    script = tmp_path / "source"
    script.write_text(f"#!/bin/sh\n{command}\n")
    script.chmod(0o755)
    environment = collector_environment(
        tmp_path / "state", "127.0.0.1:1", COMMANDS=f"source = {script}", **QUIET
    )
    return subprocess.Popen(
        [sys.executable, "-m", "collector", "--every", str(every_s)],
        env=environment,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_waits_between_the_runs_is_no_python(tmp_path: Path) -> None:
    loop = start(tmp_path, 3600, f"echo x >> {tmp_path}/runs; echo a 1")
    try:
        wait_until((tmp_path / "runs").exists, "the first run", process=loop)

        def sleeps() -> bool:
            return [Path(f"/proc/{pid}/comm").read_text() for pid in children(loop.pid)] == ["sleep\n"]

        wait_until(sleeps, "the wait for the next run", process=loop)
        assert Path(f"/proc/{loop.pid}/exe").resolve() == Path("/bin/sh").resolve()
        sleep = children(loop.pid)[0]
    finally:
        loop.send_signal(signal.SIGINT)
        loop.communicate(timeout=PATIENCE_S)
    assert loop.returncode == 0
    assert not is_alive(sleep)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_ends_with_its_loop(tmp_path: Path, number: signal.Signals) -> None:
    loop = start(
        tmp_path, 3600, f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec sleep 600"
    )
    try:
        wait_until((tmp_path / "pid").exists, "the run's source", process=loop)
        run = children(loop.pid)[0]
    finally:
        loop.send_signal(number)
        loop.communicate(timeout=PATIENCE_S)
    assert loop.returncode == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    source = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_alive(run) and not is_alive(source), "the end of the run and its source")


def test_a_run_that_loses_the_signal_is_told_again(tmp_path: Path) -> None:
    """As a child does that was only just forked."""
    (tmp_path / "run").write_text(
        f"trap 'trap - TERM; touch {tmp_path}/lost' TERM; touch {tmp_path}/runs\n"
        "while :; do sleep 0.1; done\n"
    )
    loop = subprocess.Popen(loop_command(3600, ["sh", str(tmp_path / "run")]))
    try:
        wait_until((tmp_path / "runs").exists, "the run", process=loop)
    finally:
        loop.terminate()
        assert loop.wait(PATIENCE_S) == 0
    assert (tmp_path / "lost").exists()


def test_refused_settings_end_the_loop(tmp_path: Path) -> None:
    environment = collector_environment(tmp_path, "127.0.0.1:1", GRID="g", SOURCES="nothing")
    command = [sys.executable, "-m", "collector", "--every", "3600"]
    ended = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ended.returncode == 2
    assert "COLLECTOR_SOURCES" in ended.stderr


def test_a_run_whose_loop_is_another_does_nothing(tmp_path: Path) -> None:
    environment = collector_environment(tmp_path / "state", "127.0.0.1:1", GRID="g", SOURCES="host")
    command = [sys.executable, "-m", "collector", RUN_OF, "1"]
    ended = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not (tmp_path / "state").exists()


def test_a_run_that_its_alarm_killed_is_told(tmp_path: Path) -> None:
    """Then the next one comes, in step with the clock."""
    (tmp_path / "run").write_text(
        f"echo x >> {tmp_path}/runs; [ $(wc -l < {tmp_path}/runs) = 1 ] && kill -ALRM $$; exit 2\n"
    )
    command = loop_command(1, ["sh", str(tmp_path / "run")])
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ended.returncode == 2
    assert ended.stderr.count("collector: ERROR: a run did not end and was killed\n") == 1
    assert (tmp_path / "runs").read_text() == "x\nx\n"
