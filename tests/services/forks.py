"""`pytest --forks N`: the tests are collected once and run by so many forks of that process.

pytest-xdist collects them in each of its processes, which costs each of them several seconds: a good part of
what all fast tests take. Forks also share what was imported, so that there may be more of them than cores:
while one waits another works.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import struct
import sys
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.services import shared
from tests.services.programs import end_programs, serve_forks

PORTION = 10  # tests of a file that are dealt out together, in their order
# What begins first, as it takes or waits longest, and in one piece: parts would each prepare the same again.
LONG_FILES = (
    "tests/worker/decimer/test_hostile_documents.py",
    "tests/webapp/views/test_openapi.py",
    "tests/webapp/views/test_hostile_lists.py",
    "tests/webapp/views/test_hostile.py",
    "tests/test_boundaries.py",
    "tests/worker/decimer/test_pages.py",
    "tests/worker/decimer/test_whose_fault.py",
    "tests/webapp/serving/test_kept.py",
)
TURN = struct.Struct("I")  # in the pipe that all forks read: the place of the next portion


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--forks", type=int, default=0, metavar="N", help="run the tests in N forks of this process"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    count = session.config.getoption("forks")
    if not count or session.testsfailed or session.config.option.collectonly:
        return None
    portions = portions_of(session.items)
    forks = _start(session, portions, min(count, len(portions)))
    try:
        _listen(session, forks)
    finally:
        for fork in forks:
            fork.process.terminate()
            fork.process.join()
    return True


def portions_of(items: list[pytest.Item]) -> list[list[pytest.Item]]:
    """LONG_FILES first, as they take longest, and in one piece; of the others so many tests at a time."""
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.split("::")[0], []).append(item)
    portions = [tests for file, tests in files.items() if file in LONG_FILES]
    for file, tests in files.items():
        if file not in LONG_FILES:
            portions += [tests[place : place + PORTION] for place in range(0, len(tests), PORTION)]
    return portions


@dataclass
class _Fork:
    process: ForkProcess
    heard: Connection
    running: tuple[str, Any] | None = None  # test and location
    is_done: bool = False


def _start(session: pytest.Session, portions: list[list[pytest.Item]], count: int) -> list[_Fork]:
    turns, giving = os.pipe()
    os.write(giving, b"".join(map(TURN.pack, range(len(portions)))))
    os.close(giving)
    base: Path = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    serve_forks(base)
    sys.stdout.flush()
    sys.stderr.flush()
    forks = []
    for number in range(count):
        heard, told = multiprocessing.Pipe(duplex=False)
        given = (session, portions, turns, told, base / f"fork-{number}")
        process = multiprocessing.get_context("fork").Process(target=_run, args=given)
        process.start()
        told.close()
        forks.append(_Fork(process, heard))
    os.close(turns)
    return forks


def _listen(session: pytest.Session, forks: list[_Fork]) -> None:
    hook = session.config.hook
    finished = 0
    while going_on := [fork for fork in forks if not fork.is_done]:
        ready = wait([end for fork in going_on for end in (fork.heard, fork.process.sentinel)])
        for fork in going_on:
            if fork.heard in ready:
                finished += _take(session, fork)
            elif fork.process.sentinel in ready:
                _say_that_it_died(session, fork)
                finished += fork.running is not None
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
    if finished != len(session.items):
        hook.pytest_internalerror(excrepr=f"{finished} tests of {len(session.items)} were run", excinfo=None)
        raise session.Failed("tests were not run")


def _take(session: pytest.Session, fork: _Fork) -> int:
    """One message of a fork; the number of tests that it says are finished."""
    config = session.config
    try:
        kind, content = fork.heard.recv()
    except EOFError:
        _say_that_it_died(session, fork)
        return int(fork.running is not None)
    if kind == "start":
        fork.running = content
        config.hook.pytest_runtest_logstart(nodeid=content[0], location=content[1])
    elif kind == "report":
        report = config.hook.pytest_report_from_serializable(config=config, data=content)
        config.hook.pytest_runtest_logreport(report=report)
    elif kind == "finish":
        fork.running = None
        config.hook.pytest_runtest_logfinish(nodeid=content[0], location=content[1])
        return 1
    elif kind == "warning":
        config.hook.pytest_warning_recorded.call_historic(kwargs=content)
    elif kind == "done":
        fork.is_done = True
    return 0


def _say_that_it_died(session: pytest.Session, fork: _Fork) -> None:
    fork.is_done = True
    fork.process.join()
    told = f"the process that ran this test ended with {fork.process.exitcode}"
    nodeid, location = fork.running or ("a fork of the run", ("", None, ""))
    report = pytest.TestReport(nodeid, location, {}, "failed", told, "call")
    session.config.hook.pytest_runtest_logreport(report=report)


def _run(
    session: pytest.Session, portions: list[list[pytest.Item]], turns: int, told: Connection, folder: Path
) -> NoReturn:
    """In a fork: takes portion after portion, to the last."""
    status = 1
    try:
        config = session.config
        folder.mkdir(mode=0o700)
        config._tmp_path_factory._basetemp = folder  # type: ignore[attr-defined]
        random.seed()
        _capture_anew(config)
        _hush(config)
        config.pluginmanager.register(_Teller(config, told))
        tests = _tests(portions, turns)
        item = next(tests, None)
        while item is not None:
            following = next(tests, None)
            config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            item = following
        end_programs()
        shared.close_all()
        told.send(("done", None))
        status = 0
    except BaseException:  # noqa: BLE001  whatever it was: nothing of the parent's may go on in a fork
        traceback.print_exc(file=sys.__stderr__)
    os._exit(status)


def _tests(portions: list[list[pytest.Item]], turns: int) -> Iterator[pytest.Item]:
    while turn := os.read(turns, TURN.size):
        yield from portions[TURN.unpack(turn)[0]]


def _capture_anew(config: pytest.Config) -> None:
    """Into files of its own: a fork shares those of its parent, and where in them it writes."""
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    capture.stop_global_capturing()
    capture.start_global_capturing()
    capture.suspend_global_capture(in_=True)


def _hush(config: pytest.Config) -> None:
    """What is to be shown the parent shows."""
    config.get_terminal_writer()._file = open(os.devnull, "w")  # noqa: SIM115  kept to the end


class _Teller:
    """Tells the parent what pytest tells its plugins of each test."""

    def __init__(self, config: pytest.Config, told: Connection) -> None:
        self._config = config
        self._told = told

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self._told.send(("start", (nodeid, location)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._told.send(("report", data))

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        self._told.send(("finish", (nodeid, location)))

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: Any
    ) -> None:
        plain = warnings.WarningMessage(
            str(warning_message.message),
            warning_message.category,
            warning_message.filename,
            warning_message.lineno,
        )
        content = {"warning_message": plain, "when": when, "nodeid": nodeid, "location": location}
        self._told.send(("warning", content))
