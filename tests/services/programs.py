"""The project's programs as users start them, to their end, without importing them anew for each run."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO

from tests.services.program_server import PACKAGES
from tests.services.support import PATIENCE_S, stop_process

ROOT = Path(__file__).parents[2]


def run_program(
    program: str, *arguments: str, environment: Mapping[str, str] | None = None, timeout_s: float = PATIENCE_S
) -> subprocess.CompletedProcess[str]:
    """The same, with its output as text."""
    done = run_for_bytes(program, *arguments, environment=environment, timeout_s=timeout_s)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def run_for_bytes(
    program: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    umask: int | None = None,
    stdout: Path | None = None,
    timeout_s: float = PATIENCE_S,
) -> subprocess.CompletedProcess[bytes]:
    """`python -m PROGRAM ARGUMENTS` in the checkout, with that environment alone; without it, this one's.

    `stdout` is what it writes to, where that is not to be read. Where the environment tells Python itself
    something, it starts anew. Raises subprocess.TimeoutExpired.
    """
    given = dict(os.environ if environment is None else environment)
    command = [sys.executable, "-m", program, *arguments]
    if _of_python(given) != _of_python(os.environ):
        return subprocess.run(
            command, env=given, cwd=ROOT, capture_output=True, timeout=timeout_s, check=False,
            umask=-1 if umask is None else umask,
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        out, err = (Path(temporary) / name for name in ("stdout", "stderr"))
        out.touch()
        err.touch()
        order = {
            "arguments": arguments, "environment": given, "folder": str(ROOT), "umask": umask,
            "stdout": str(stdout or out), "stderr": str(err),
        }  # fmt: skip
        server = _server(program, os.getpid())
        with server.lock:
            status = server.run(json.dumps(order), timeout_s)
        if status is None:
            raise subprocess.TimeoutExpired(command, timeout_s, out.read_bytes(), err.read_bytes())
        return subprocess.CompletedProcess(command, status, out.read_bytes(), err.read_bytes())


def _of_python(environment: Mapping[str, str]) -> dict[str, str]:
    """What an interpreter reads as it starts."""
    start = ("PYTHON", "LD_", "MALLOC_", "LC_", "LANG")
    return {name: value for name, value in environment.items() if name.startswith(start)}


@dataclass
class _Server:
    """It reads orders from `to`, and tells on `back` how each ended."""

    to: IO[bytes]
    back: IO[bytes]
    lock: Lock = field(default_factory=Lock)

    def run(self, order: str, timeout_s: float) -> int | None:
        """Its exit status as subprocess gives it; None where it had to be ended."""
        self.to.write(f"{order}\n".encode())
        child = int(self.back.readline())
        is_late = not select.select([self.back], [], [], timeout_s)[0]
        if is_late:
            os.kill(child, signal.SIGKILL)
        status = int(self.back.readline())
        return None if is_late else status


@cache
def _server(program: str, process: int) -> _Server:
    """One for each program and process of the tests; it ends with what it is told its orders by, so with the
    process."""
    if program in _listening:
        return _connect(_listening[program])
    # Without buffers: what select does not see has not been read.
    command = [sys.executable, "-m", "tests.services.program_server", program]
    started = subprocess.Popen(command, cwd=ROOT, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    _started.append(started)
    assert started.stdin is not None
    assert started.stdout is not None
    return _Server(started.stdin, started.stdout)


_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class _Listening:
    """Where a server of all forks is asked for one of its own, before it is started and after."""

    program: str
    address: str  # no path, which may be too long for one
    is_started: Path
    socket: socket.socket
    until: int  # what it reads ends with the process that forked


_listening: dict[str, _Listening] = {}


def serve_forks(folder: Path) -> None:
    """Let the processes that this one is then forked into share a server of each program: the first of them
    that needs it starts it."""
    until, _ = os.pipe()
    for program in PACKAGES:
        address = f"\0cloud-monitor-tests/program/{program}/{os.getpid()}"
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(address)
        listening.listen(100)
        _listening[program] = _Listening(program, address, folder / f"{program}.started", listening, until)


def _connect(to: _Listening) -> _Server:
    number = to.socket.fileno()
    command = [sys.executable, "-m", "tests.services.program_server", to.program, str(number)]
    with open(to.is_started, "ab") as is_started:
        fcntl.flock(is_started, fcntl.LOCK_EX)
        if not os.fstat(is_started.fileno()).st_size:
            subprocess.Popen(command, cwd=ROOT, stdin=to.until, pass_fds=[number])
            is_started.write(b"yes")
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(to.address)
    stream = connection.makefile("rwb", buffering=0)
    return _Server(stream, stream)


def end_programs() -> None:
    """At the end of a process's session: nothing is left of what it has started here."""
    for server in _started:
        assert server.stdin is not None
        server.stdin.close()
        stop_process(server)
