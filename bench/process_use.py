"""What a process and those of its children that it has waited for have used since it began."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Use(NamedTuple):
    cpu_s: float  # user and system
    written_mb: float  # to disks, as the kernel charges it

    def since(self, before: Use) -> Use:
        return Use(self.cpu_s - before.cpu_s, self.written_mb - before.written_mb)


def read_use(pid: int, proc: Path = Path("/proc")) -> Use:
    """Zeros for a process that is gone; what another user's process wrote is not told, and 0."""
    try:
        # The name, in parentheses, may hold spaces.
        fields = (proc / f"{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return Use(0.0, 0.0)
    ticks = sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    return Use(ticks / os.sysconf("SC_CLK_TCK"), _read_written_bytes(pid, proc) / 2**20)


def _read_written_bytes(pid: int, proc: Path) -> int:
    try:
        lines = (proc / f"{pid}/io").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("write_bytes:")), 0)
