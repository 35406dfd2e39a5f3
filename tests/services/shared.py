"""One service for all processes of a test run: the first that needs it starts it, the others are told where.

Who started it stops it at the end of its session, when the others are done with it: each of them holds a lock
until then, which the kernel drops with a process that dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

_used = ExitStack()
_started = ExitStack()


def share(
    folder: Path,
    name: str,
    run: Callable[[Path], AbstractContextManager[T]],
    describe: Callable[[T], dict[str, Any]],
    attach: Callable[[dict[str, Any]], T],
) -> T:
    """The one service of that name of all processes that share `folder`: `run(a folder in it)` starts it, and
    `attach(describe(service))` is what another process uses it by."""
    told = folder / f"{name}.json"
    with open(folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        users = open(folder / f"{name}.users", "w")  # noqa: SIM115  kept to the end of the session
        if told.exists():
            fcntl.flock(users, fcntl.LOCK_SH)
            _used.callback(users.close)
            return attach(json.loads(told.read_text()))
        service = _started.enter_context(run(Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))))

        def wait_for_users() -> None:
            with open(lock.name) as again:
                fcntl.flock(again, fcntl.LOCK_EX)  # nobody is about to become one
                told.unlink()
            fcntl.flock(users, fcntl.LOCK_EX)

        _started.callback(wait_for_users)
        told.write_text(json.dumps(describe(service)))
        return service


def run_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run share."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def close_all() -> None:
    """At the end of a process's session: let go what others started, then stop what this one did."""
    _used.close()
    _started.close()
