"""What the service fixtures share: free ports, waiting for an answer, and what an absent service means."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

PATIENCE_S = 180.0  # for what comes within seconds on a quiet machine: a bound for what never comes


def absent(reason: str) -> NoReturn:
    """End the test for want of a service: a failure where CI is set, a skip with the reason elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(f"in CI every service is there: {reason}", pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    """A loopback TCP port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Poll until `condition()` is true; AssertionError naming `what` after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not so after {timeout_s:g} s"
        time.sleep(0.05)


def slowdown() -> float:
    """By how much longer a computation takes here at the moment than on a machine with nothing else to do."""
    began_s, used_s = time.monotonic(), time.thread_time()
    while time.thread_time() - used_s < 0.05:
        pass
    return max(1.0, (time.monotonic() - began_s) / 0.05)


def stop_process(process: subprocess.Popen[bytes], timeout_s: float = 30) -> int:
    """SIGTERM, wait for the exit, SIGKILL after the timeout; the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def open_way_to(folder: Path) -> None:
    """Let other users enter what lies above it: pytest's own folders, which only their user may enter."""
    for parent in folder.parents:
        if not (mode := stat.S_IMODE(parent.stat().st_mode)) & 0o001:
            parent.chmod(mode | 0o011)
