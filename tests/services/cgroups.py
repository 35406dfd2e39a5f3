"""A real memory control group around a process, of version 1 or 2; skipped where this machine forbids it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services.needs import need

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")


class MemoryGroup:
    """`command` starts a program inside; `used_bytes` and `oom_kills` are the kernel's own figures."""

    def __init__(self, directory: Path, version: int) -> None:
        self.directory = directory
        self.version = version

    def command(self, *command: str) -> list[str]:
        return ["sh", "-c", f'echo $$ > {self.directory}/cgroup.procs && exec "$@"', "sh", *command]

    @property
    def used_bytes(self) -> int:
        """The working set: without file cache that can be dropped at once."""
        name = "memory.usage_in_bytes" if self.version == 1 else "memory.current"
        inactive = "total_inactive_file" if self.version == 1 else "inactive_file"
        figures = dict(line.split() for line in (self.directory / "memory.stat").read_text().splitlines())
        return int((self.directory / name).read_text()) - int(figures[inactive])

    @property
    def oom_kills(self) -> int:
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        lines = (self.directory / name).read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


@contextmanager
def memory_group(limit_bytes: int) -> Iterator[MemoryGroup]:
    need("root")
    version = 1 if V1.is_dir() else 2
    directory = (V1 if version == 1 else V2) / f"cloud-monitor-test-{os.getpid()}-{time.monotonic_ns()}"
    try:
        directory.mkdir()
        limit = "memory.limit_in_bytes" if version == 1 else "memory.max"
        (directory / limit).write_text(str(limit_bytes))
    except OSError as error:
        if directory.is_dir():
            directory.rmdir()
        pytest.skip(f"no memory control group can be made here: {error}")
    try:
        yield MemoryGroup(directory, version)
    finally:
        _remove(directory)


def _remove(directory: Path) -> None:
    """Its processes have ended, but the kernel takes a moment to notice."""
    for _ in range(100):
        try:
            directory.rmdir()
        except OSError:
            time.sleep(0.1)
        else:
            return
