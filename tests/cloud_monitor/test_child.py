"""Calls in processes of their own: deadlines, deaths, leftovers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_monitor.system import progress
from cloud_monitor.system.child import ChildAnswer, ChildCall, run_calls
from cloud_monitor.system.progress import split_messages
from cloud_monitor.system.text import error_text
from tests.services.support import PATIENCE_S, wait_until


def run_one(make_answer: Callable[[], bytes], timeout_s: float = 10) -> ChildAnswer:
    return run_calls({"it": ChildCall(make_answer, timeout_s)})["it"]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_answer_larger_than_a_pipe_crosses_whole() -> None:
    many = bytes(range(256)) * 20_000
    answer = run_one(lambda: many)
    assert (answer.body, answer.error) == (many, "")


def test_calls_run_side_by_side_and_answer_in_their_order(tmp_path: Path) -> None:
    """Each ends after the one that was asked for behind it, which none could wait for alone."""
    after = {"first": "second", "second": "third", "third": ""}

    def wait(name: str) -> bytes:
        wait_until(lambda: (tmp_path / after[name]).exists(), "the next one")
        (tmp_path / name).touch()
        return name.encode()

    answers = run_calls({name: ChildCall(lambda name=name: wait(name), PATIENCE_S) for name in after})  # type: ignore[misc]
    assert [(name, answer.body) for name, answer in answers.items()] == [
        ("first", b"first"),
        ("second", b"second"),
        ("third", b"third"),
    ]


def test_a_late_call_is_killed_with_what_it_started_and_says_what_it_was_at(tmp_path: Path) -> None:
    def hang() -> bytes:
        progress.report("asking the oracle")
        child = subprocess.Popen(["sleep", "600"])
        (tmp_path / "pid").write_text(str(child.pid))
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        time.sleep(600)
        return b""

    for timeout_s in (1, 4, 16, 64):  # the first in which this machine gets so far
        answer = run_one(hang, timeout_s=timeout_s)
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            break
    assert answer.body is None
    assert answer.error == f"no answer within {timeout_s} s while asking the oracle, so it was stopped"
    wait_until(lambda: not is_alive(int((tmp_path / "pid").read_text())), "the end of its child")


def test_an_error_arrives_as_it_is_described() -> None:
    def fail() -> bytes:
        raise LookupError("no such \n oracle")

    assert run_one(fail).error == "LookupError: no such oracle"
    call = {"it": ChildCall(fail, 10)}
    assert run_calls(call, error_text)["it"].error == "no such oracle"


@pytest.mark.parametrize(
    ("end", "told"),
    [(lambda: os.kill(os.getpid(), signal.SIGKILL), "signal SIGKILL"), (lambda: os._exit(7), "status 7")],
)
def test_a_call_that_dies_is_told(end: Callable[[], None], told: str) -> None:
    def die() -> bytes:
        progress.report("touching libcondor")
        end()
        return b""

    answer = run_one(die)
    assert answer.error == f"its process ended without an answer while touching libcondor ({told})"


def test_output_of_a_call_is_not_the_parents(capfd: pytest.CaptureFixture[str]) -> None:
    def talk() -> bytes:
        os.write(1, b"chatter\n")
        return b"well"

    assert run_one(talk).body == b"well"
    assert capfd.readouterr() == ("", "chatter\n")


def test_half_an_answer_is_none() -> None:
    assert split_messages(b"") == ("", b"", b"")
    assert split_messages(b"N\0\0\0\0\0\0\0\2hi" + b"A\0\0\0\0\0\0\0\5abc") == ("hi", b"", b"")
    assert split_messages(b"N\0\0\0\0\0\0\0\2hi" + b"A\0\0\0\0\0\0\0\3abc") == ("hi", b"A", b"abc")


def test_what_calls_write_by_themselves_is_heard_and_goes_nowhere_else(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def speak() -> bytes:
        os.write(2, b"one\n\n")
        subprocess.run(["echo", "two\x1b[31m"], check=True)
        return b"done"

    def die() -> bytes:
        os.write(2, b"line 1 is nonsense\n")
        os._exit(4)

    def never_stop() -> bytes:
        for _ in range(100):
            os.write(2, b"x" * 9_999 + b"\n")
        return b"done"

    calls = {call.__name__: ChildCall(call, PATIENCE_S) for call in (speak, die, never_stop)}
    answers = run_calls(calls, hear=True)
    assert (answers["speak"].body, answers["speak"].said) == (b"done", ("one", "two [31m"))
    error = "its process ended without an answer (status 4): line 1 is nonsense"
    assert (answers["die"].body, answers["die"].error) == (None, error)
    assert answers["never_stop"].body == b"done"
    assert sum(map(len, answers["never_stop"].said)) < 64 << 10
    assert capfd.readouterr() == ("", "")
    assert run_calls({"speak": calls["speak"]})["speak"].said == ()
    assert capfd.readouterr() == ("", "one\n\ntwo\x1b[31m\n")
