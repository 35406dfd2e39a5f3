"""What the service fixtures share: free ports, waiting for an answer, and what an absent service means."""

from __future__ import annotations

import os
import random
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

NOBODY = 65534
PATIENCE_S = 180.0  # for what comes within seconds on a quiet machine: a bound for what never comes
_SAID_MAX = 4000  # bytes of a program's last words
LOWEST_PORT = 11_000  # above 10080, the last below the ephemeral ones that browsers refuse


def absent(reason: str) -> NoReturn:
    """End the test for want of a service: a failure where CI is set, a skip with the reason elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(f"in CI every service is there: {reason}", pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    """A loopback TCP port on which nothing listens, and which this process keeps from all other tests here.

    It lies below those that the kernel gives to whoever asks for any, so that no connection takes it between
    now and the start of what is to listen there.
    """
    first_given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.SystemRandom().randrange(LOWEST_PORT, first_given)
        if port not in _reserved and _reserve(port):
            return port


_reserved: dict[int, socket.socket] = {}


def _reserve(port: int) -> bool:
    """By a name that the kernel gives to one process of the machine at a time, and takes back at its end."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0cloud-monitor-tests/port/{port}")
        with socket.socket() as probe:
            probe.bind(("0.0.0.0", port))
    except OSError:
        name.close()
        return False
    _reserved[port] = name
    return True


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(
    condition: Callable[[], object],
    what: str,
    timeout_s: float = PATIENCE_S,
    process: subprocess.Popen[Any] | None = None,
    log: Path | None = None,
) -> None:
    """Poll until `condition()` is true; AssertionError naming `what` after the timeout, or as soon as the
    process that is to bring it about has ended. log: the file that its output goes to, if to no pipe; what it
    says last is told.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if process is not None and process.poll() is not None and not condition():
            said = log.read_bytes() if log else _unread(process)
            last = said[-_SAID_MAX:].decode("utf-8", "replace").strip()
            raise AssertionError(f"{what}: its program has ended, with {process.returncode}: {last}")
        assert time.monotonic() < deadline, f"{what}: not so after {timeout_s:g} s"
        time.sleep(0.05)


def _unread(process: subprocess.Popen[Any]) -> bytes:
    """What an ended process has written to a pipe as its standard error."""
    if process.stderr is None:
        return b""
    os.set_blocking(process.stderr.fileno(), False)  # what it had started may hold the other end
    try:
        return os.read(process.stderr.fileno(), 1 << 16)
    except BlockingIOError:
        return b""


def in_time(took_s: float, limit_s: float) -> bool:
    """Whether something took less than it may on a machine with nothing else to do; on another, more."""
    return took_s < limit_s or took_s < limit_s * slowdown()


def slowdown() -> float:
    """By how much longer a computation takes here than on a machine with nothing else to do.

    At the moment, or over the last minute, whichever is more: what was slow may have been so before.
    """
    began_s, used_s = time.monotonic(), time.thread_time()
    while time.thread_time() - used_s < 0.05:
        pass
    over_a_minute = os.getloadavg()[0] / len(os.sched_getaffinity(0))
    return max(1.0, (time.monotonic() - began_s) / 0.05, over_a_minute)


def stop_process(process: subprocess.Popen[bytes], timeout_s: float = 30) -> int:
    """SIGTERM, wait for the exit, SIGKILL after the timeout; the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


@contextmanager
def as_nobody() -> Iterator[None]:
    """As another user, as far as files are asked for. Needs root."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def open_way_to(folder: Path) -> None:
    """Let other users enter what lies above it: pytest's own folders, which only their user may enter."""
    for parent in folder.parents:
        if not (mode := stat.S_IMODE(parent.stat().st_mode)) & 0o001:
            parent.chmod(mode | 0o011)
