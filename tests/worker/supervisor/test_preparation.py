"""The model is made ready in a process of its own before the first worker, and a failure of it is told."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.support import wait_until
from tests.worker.fleet import RUN, Fleet
from worker.queue.statistics.queue import read_figures
from worker.supervisor.preparation import Preparation

Events = list[tuple[str, str]]
Make = Callable[..., Preparation]


@pytest.fixture
def events() -> Events:
    return []


@pytest.fixture
def prepare(tmp_path: Path, events: Events) -> Iterator[Make]:
    made: list[Preparation] = []

    def make(code: str, first_pause_s: float = 60, longest_s: float = 60) -> Preparation:
        command = [sys.executable, "-c", code]
        log = tmp_path / "logs" / "host.domain-model.log"
        made.append(Preparation(command, log, first_pause_s, longest_s, lambda *event: events.append(event)))
        return made[-1]

    yield make
    for preparation in made:
        preparation.stop()


def until(preparation: Preparation, condition: Callable[[str], bool]) -> None:
    wait_until(lambda: condition(preparation.look(0)), "the preparation")


def test_nothing_to_prepare_holds_nobody_up(tmp_path: Path) -> None:
    assert Preparation(None, tmp_path / "log", 1, 1, lambda *_: None).look(0) == ""


def test_a_model_that_is_ready_is_no_event(prepare: Make, events: Events) -> None:
    preparation = prepare("")
    assert preparation.look(0) == "the model is being prepared"
    until(preparation, lambda why: why == "")
    assert events == []


def test_a_long_one_is_told_with_how_far_it_is(prepare: Make, events: Events) -> None:
    preparation = prepare("import time; print('INFO x: fetching weights 40 %', flush=True); time.sleep(4)")
    until(preparation, lambda why: why == "the model is being prepared: fetching weights 40 %")
    until(preparation, lambda why: why == "")
    assert [kind for kind, _ in events] == ["preparing", "prepared"]
    assert "host.domain-model.log" in events[0][1]


def test_a_failure_is_told_in_its_own_words_and_tried_again_later_and_later(
    prepare: Make, events: Events
) -> None:
    preparation = prepare("import sys; print('error: no package index'); sys.exit(1)", first_pause_s=0.2)
    wanted = "could not be prepared (no package index)"
    until(preparation, lambda why: wanted in why)
    failed_s = [time.monotonic()]
    while len(failed_s) < 3:
        until(preparation, lambda _: len(events) > len(failed_s))
        failed_s.append(time.monotonic())
    assert failed_s[1] - failed_s[0] >= 0.2
    assert failed_s[2] - failed_s[1] >= 0.4
    assert set(events) == {("not_prepared", "the model could not be prepared: no package index")}


@pytest.mark.parametrize(
    ("oom_kills", "told"), [(0, "ended from outside by SIGKILL"), (1, "because memory ran out (OOM)")]
)
def test_a_kill_is_named(prepare: Make, events: Events, oom_kills: int, told: str) -> None:
    preparation = prepare(f"import os; os.kill(os.getpid(), {signal.SIGKILL.value})")
    wait_until(lambda: told in preparation.look(oom_kills), "the failure")
    assert events[0][0] == "not_prepared"


def test_one_that_hangs_is_ended_with_its_children(prepare: Make, tmp_path: Path, events: Events) -> None:
    code = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(tmp_path / "child")!r}, "w").write(f"{{child.pid}} ")
time.sleep(600)
"""
    preparation = prepare(code, longest_s=2)
    until(preparation, lambda why: "it was ended after 2 s" in why)
    assert events[0][0] == "not_prepared"
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not is_running(child), "the end of its child")


def test_a_command_that_is_not_there_is_a_failure_too(tmp_path: Path, events: Events) -> None:
    preparation = Preparation(["/nowhere"], tmp_path / "a.log", 60, 60, lambda *event: events.append(event))
    assert "could not be started" in preparation.look(0)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(
        tmp_path,
        environment={
            "WORKER_DECIMER_ENGINE": "onnx",
            "WORKER_MODEL_DIR": str(tmp_path / "model"),
            "WORKER_MODEL_ARCHIVE": str(tmp_path / "absent.zip"),
        },
    )
    yield fleet
    fleet.stop()


def test_no_worker_is_started_without_a_model(fleet: Fleet) -> None:
    """The supervisor waits and says why, in the queue and in its log; no failure of an image is recorded."""
    fleet.add_images("a", [b"1"])
    fleet.enqueue()
    supervisor = fleet.start(RUN)

    def held_back() -> bool:
        shown = read_figures(fleet.database_url)
        return any(decision.reason == "preparing" for decision in shown.decisions)

    fleet.wait_until(lambda: b"not_prepared" in log_of(fleet) and held_back(), "the failure")
    assert b"absent.zip" in log_of(fleet)
    shown = read_figures(fleet.database_url)
    assert not {"spawned", "crashed"} & {event.kind for event in shown.events}
    assert shown.chunks["pending"] == 1
    supervisor.send_signal(signal.SIGTERM)
    assert fleet.wait(supervisor) == 1, "the image has no answer"
    assert fleet.all_pids() == []


def log_of(fleet: Fleet) -> bytes:
    return (fleet.folder / "supervisor-0.log").read_bytes()


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
