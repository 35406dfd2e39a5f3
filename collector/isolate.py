"""Run each source in a child process of its own, with a deadline that is kept whatever the source does.

A child ends with its parent (PR_SET_PDEATHSIG) and leads a process group, so that what it started goes with
it. Its answer comes through a pipe as JSON; nothing is unpickled.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from cloud_monitor.system.process import die_with_parent
from cloud_monitor.system.progress import COLLECTED, ERROR, open_stage, send, split_messages
from collector.model import Collected, read_collected, write_collected

_ANSWER_BYTES_MAX = 64 << 20
_REAP_S = 1.0
_MESSAGE_LENGTH_MAX = 500


class Task(NamedTuple):
    collect: Callable[[], Collected]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one source; `error` is None where nothing failed, not even in part."""

    source: str
    collected: Collected
    error: str | None
    duration_s: float

    @property
    def answered(self) -> bool:
        """Whether it gave something, if only in part."""
        return self.error is None or bool(self.collected.complaints)


@dataclass(slots=True)
class _Child:
    source: str
    pid: int
    pipe: int
    timeout_s: float
    started_s: float
    received: bytearray = field(default_factory=bytearray)


def run_isolated(
    tasks: Mapping[str, Task], meanwhile: Callable[[], object] = lambda: None
) -> tuple[Outcome, ...]:
    """Run all tasks at once; returns when the last has answered, failed, or was killed at its deadline.

    `meanwhile` is called once they all have started.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    outcomes: dict[str, Outcome] = {}
    with selectors.DefaultSelector() as selector:
        waiting = {child.pipe: child for child in (_start(name, task) for name, task in tasks.items())}
        for pipe in waiting:
            selector.register(pipe, selectors.EVENT_READ)
        meanwhile()
        while waiting:
            now_s = time.monotonic()
            nearest_s = min(child.started_s + child.timeout_s for child in waiting.values())
            ready = {key.fd for key, _ in selector.select(max(0.0, nearest_s - now_s))}
            for pipe, child in list(waiting.items()):
                ended = pipe in ready and not _receive(child)
                late = time.monotonic() >= child.started_s + child.timeout_s
                if ended or late:
                    selector.unregister(pipe)
                    del waiting[pipe]
                    outcomes[child.source] = _finish(child, late=late and not ended)
    return tuple(outcomes[name] for name in tasks)


def _start(source: str, task: Task) -> _Child:
    parent = os.getpid()
    reading, writing = os.pipe()
    started_s = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _run_child(task, writing, parent)
    os.close(writing)
    with suppress(OSError):  # the child does the same: whoever comes first
        os.setpgid(pid, pid)
    os.set_blocking(reading, False)
    return _Child(source, pid, reading, task.timeout_s, started_s)


def _run_child(task: Task, pipe: int, parent: int) -> NoReturn:
    status = 1
    try:
        die_with_parent()
        if os.getppid() != parent:  # it ended before the kernel was told
            os._exit(1)
        with suppress(OSError):
            os.setpgid(0, 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(2, 1)  # standard output belongs to the dry run's lines
        open_stage(pipe)
        try:
            kind, body = COLLECTED, write_collected(task.collect())
        except BaseException as error:  # noqa: BLE001 - whatever a source raises is its answer
            kind, body = ERROR, _describe(error).encode("utf-8", "replace")
        send(pipe, kind, body)
        status = 0
    finally:
        os._exit(status)


def _describe(error: BaseException) -> str:
    text = " ".join(str(error).split())[:_MESSAGE_LENGTH_MAX]
    return (
        text
        if type(error).__module__.startswith(("collector.", "cloud_monitor.")) and text
        else f"{type(error).__name__}: {text}"
    )


def _receive(child: _Child) -> bool:
    """Take what the pipe holds; False at its end, or where a child writes without end."""
    try:
        while len(child.received) <= _ANSWER_BYTES_MAX:
            chunk = os.read(child.pipe, 1 << 20)
            if not chunk:
                return False
            child.received += chunk
    except BlockingIOError:
        return True
    return False


def _finish(child: _Child, late: bool) -> Outcome:
    os.close(child.pipe)
    status = _end(child.pid)
    duration_s = time.monotonic() - child.started_s
    note, kind, body = split_messages(bytes(child.received))
    at = f" while {note}" if note else ""
    collected, error = Collected(), None
    if late:
        error = f"no answer within {child.timeout_s:g} s{at}, so it was stopped"
    elif kind == COLLECTED:
        collected = read_collected(body)
        error = "; ".join(collected.complaints) or None
    elif kind == ERROR:
        error = body.decode()
    else:
        error = f"its process ended without an answer{at} ({_describe_status(status)})"
    return Outcome(child.source, collected, error, duration_s)


def _end(pid: int) -> int | None:
    """Kill the child's whole group and reap the child; None where it waits in the kernel and does not end."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    until_s = time.monotonic() + _REAP_S
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until_s:
            return None
        time.sleep(0.001)


def _describe_status(status: int | None) -> str:
    if status is None:
        return "it does not end"
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
