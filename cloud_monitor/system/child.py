"""Calls in child processes of their own, each with a deadline that is kept whatever the call does.

A child ends with its parent (PR_SET_PDEATHSIG) and leads a process group, so that what it started goes with
it. Its answer comes through a pipe as bytes; nothing is unpickled. What a library writes to the terminal or
log by itself goes there too, or through a second pipe to whoever made the call.
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

from cloud_monitor.system import progress
from cloud_monitor.system.process import die_with_parent
from cloud_monitor.system.text import describe_error, one_line

_ANSWER_BYTES_MAX = 64 << 20
_SAID_BYTES_MAX = 64 << 10
_REAP_S = 1.0

Describe = Callable[[BaseException], str]


class ChildCall(NamedTuple):
    make_answer: Callable[[], bytes]
    timeout_s: float


class ChildAnswer(NamedTuple):
    """What became of one call: its answer, or why there is none. said: the lines that it wrote to standard
    output and error, the first of very many, where these were heard."""

    body: bytes | None
    error: str
    duration_s: float
    said: tuple[str, ...] = ()


@dataclass(slots=True)
class _Child:
    name: str
    pid: int
    pipe: int
    timeout_s: float
    started_s: float
    mouth: int | None = None  # where what it writes can be read
    received: bytearray = field(default_factory=bytearray)
    heard: bytearray = field(default_factory=bytearray)


def run_calls(
    calls: Mapping[str, ChildCall], describe: Describe = describe_error, hear: bool = False
) -> dict[str, ChildAnswer]:
    """Run all calls at once; returns when the last has answered, failed, or was killed at its deadline.

    `describe` says, in the child, what an exception is called. hear: what the children write to standard
    output and error comes with their answers, and goes nowhere else.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    answers: dict[str, ChildAnswer] = {}
    with selectors.DefaultSelector() as selector:
        children = (_start(name, call, describe, hear) for name, call in calls.items())
        waiting = {child.pipe: child for child in children}
        for child in waiting.values():
            selector.register(child.pipe, selectors.EVENT_READ)
            if child.mouth is not None:
                selector.register(child.mouth, selectors.EVENT_READ)
        while waiting:
            now_s = time.monotonic()
            nearest_s = min(child.started_s + child.timeout_s for child in waiting.values())
            ready = {key.fd for key, _ in selector.select(max(0.0, nearest_s - now_s))}
            for pipe, child in list(waiting.items()):
                if child.mouth is not None and child.mouth in ready and not _listen(child.mouth, child):
                    selector.unregister(child.mouth)
                    os.close(child.mouth)
                    child.mouth = None
                ended = pipe in ready and not _receive(child)
                late = time.monotonic() >= child.started_s + child.timeout_s
                if ended or late:
                    selector.unregister(pipe)
                    if child.mouth is not None:
                        selector.unregister(child.mouth)
                    del waiting[pipe]
                    answers[child.name] = _finish(child, late=late and not ended)
    return {name: answers[name] for name in calls}


def _start(name: str, call: ChildCall, describe: Describe, hear: bool) -> _Child:
    parent = os.getpid()
    reading, writing = os.pipe()
    mouth, speaking = os.pipe() if hear else (None, 2)
    started_s = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _run_child(call, describe, writing, speaking, parent)
    os.close(writing)
    with suppress(OSError):  # the child does the same: whoever comes first
        os.setpgid(pid, pid)
    os.set_blocking(reading, False)
    if mouth is not None:
        os.close(speaking)
        os.set_blocking(mouth, False)
    return _Child(name, pid, reading, call.timeout_s, started_s, mouth)


def _run_child(call: ChildCall, describe: Describe, pipe: int, speaking: int, parent: int) -> NoReturn:
    status = 1
    try:
        die_with_parent()
        if os.getppid() != parent:  # it ended before the kernel was told
            os._exit(1)
        with suppress(OSError):
            os.setpgid(0, 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(speaking, 2)
        os.dup2(2, 1)  # standard output is the parent's
        progress.open_pipe(pipe)
        try:
            sort, body = progress.ANSWER, call.make_answer()
        except BaseException as error:  # noqa: BLE001 - whatever a call raises is its answer
            sort, body = progress.ERROR, describe(error).encode("utf-8", "replace")
        progress.send(pipe, sort, body)
        status = 0
    finally:
        os._exit(status)


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


def _listen(mouth: int, child: _Child) -> bool:
    """Take what it has written, all that a pipe holds, and keep the first of it; False at the end of it."""
    try:
        chunk = os.read(mouth, _SAID_BYTES_MAX)
    except BlockingIOError:
        return True
    child.heard += chunk[: _SAID_BYTES_MAX - len(child.heard)]
    return bool(chunk)


def _finish(child: _Child, late: bool) -> ChildAnswer:
    os.close(child.pipe)
    status = _end(child.pid)
    if child.mouth is not None:
        _listen(child.mouth, child)
        os.close(child.mouth)
    lines = map(one_line, child.heard.decode("utf-8", "replace").splitlines())
    said = tuple(line for line in lines if line)
    duration_s = time.monotonic() - child.started_s
    note, sort, body = progress.split_messages(bytes(child.received))
    doing = f" while {note}" if note else ""
    if late:
        error = f"no answer within {child.timeout_s:g} s{doing}, so it was stopped"
    elif sort == progress.ANSWER:
        return ChildAnswer(body, "", duration_s, said)
    elif sort == progress.ERROR:
        error = body.decode()
    else:
        last = f": {said[-1]}" if said else ""
        error = f"its process ended without an answer{doing} ({_describe_status(status)}){last}"
    return ChildAnswer(None, error, duration_s, said)


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
