"""How many plots Graphite is asked for at once, by all processes, and for how long one keeps its place."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.services.raw_http import Send, Stopped, run_raw_server
from tests.services.support import PATIENCE_S, in_time, wait_until
from webapp.errors import RequestRefused
from webapp.graphite.gate import AT_ONCE, GraphiteGate

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
_IN_ANOTHER_PROCESS = """
import sys, pathlib
from webapp.errors import RequestRefused
from webapp.graphite.gate import GraphiteGate
try:
    print(GraphiteGate(sys.argv[1], 30, pathlib.Path(sys.argv[2])).fetch_series(["a"], 0, 60))
except RequestRefused as refused:
    print(refused.status, refused.code)
"""


def ask_elsewhere(url: str, state_dir: Path) -> str:
    command = [sys.executable, "-c", _IN_ANOTHER_PROCESS, url, str(state_dir)]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=PATIENCE_S
    ).stdout.strip()


def status_of(gate: GraphiteGate) -> int:
    try:
        gate.fetch_series(["a"], 0, 60)
    except RequestRefused as refused:
        return refused.status
    return 200


def test_a_query_that_was_given_up_keeps_its_place_until_graphite_has_done_with_it(tmp_path: Path) -> None:
    asked, may_answer = [], threading.Event()

    def answer(send: Send, stopped: Stopped) -> None:
        asked.append(time.monotonic())
        while not may_answer.is_set() and not stopped(0.05):
            pass
        send(_ANSWER)

    with run_raw_server(answer) as url:
        gate = GraphiteGate(url, 0.3, tmp_path)
        assert [status_of(gate) for _ in range(AT_ONCE)] == [502] * AT_ONCE
        assert status_of(gate) == 503
        assert ask_elsewhere(url, tmp_path) == "503 busy"
        assert len(asked) == AT_ONCE
        may_answer.set()
        wait_until(lambda: ask_elsewhere(url, tmp_path) == "[]", "a place that is given back")
        patient = GraphiteGate(url, 30, tmp_path)
        wait_until(lambda: status_of(patient) == 200, "and here")


def test_a_visitor_waits_a_moment_for_a_place(tmp_path: Path) -> None:
    def answer(send: Send, stopped: Stopped) -> None:
        stopped(0.2)
        send(_ANSWER)

    with run_raw_server(answer) as url:
        gate = GraphiteGate(url, 30, tmp_path)
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(status_of(gate))) for _ in range(AT_ONCE + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [200] * (AT_ONCE + 1)


def test_a_crowd_is_turned_away_and_graphite_sees_few(tmp_path: Path) -> None:
    now_at_it, most, lock = 0, 0, threading.Lock()
    found: list[int] = []

    def answer(send: Send, stopped: Stopped) -> None:
        nonlocal now_at_it, most
        with lock:
            now_at_it += 1
            most = max(most, now_at_it)
        while found.count(503) < 20 and not stopped(0.05):
            pass
        with lock:
            now_at_it -= 1
        send(_ANSWER)

    with run_raw_server(answer) as url:
        gates = [GraphiteGate(url, 30, tmp_path) for _ in range(5)]  # as many processes
        started = time.monotonic()
        threads = [
            threading.Thread(target=lambda gate=gate: found.append(status_of(gate)))
            for gate in gates
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert most == AT_ONCE
    assert found.count(503) >= 20
    assert set(found) == {200, 503}
    assert in_time(time.monotonic() - started, 15)


def test_a_place_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    asked = []

    def answer(send: Send, stopped: Stopped) -> None:
        asked.append(time.monotonic())
        stopped(600)

    with run_raw_server(answer) as url:
        command = [sys.executable, "-c", _IN_ANOTHER_PROCESS, url, str(tmp_path)]
        holders = [subprocess.Popen(command) for _ in range(AT_ONCE)]
        gate = GraphiteGate(url, 0.1, tmp_path)
        try:
            wait_until(lambda: len(asked) == AT_ONCE, "both places taken")
            assert status_of(gate) == 503
        finally:
            for holder in holders:
                holder.kill()
                holder.wait()
        assert status_of(gate) == 502


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestRefused, match=f"state folder {tmp_path}/none"):
        GraphiteGate("http://127.0.0.1:1", 1, tmp_path / "none").fetch_series(["a"], 0, 60)
