"""What this process itself uses, read from the system without any library."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import NamedTuple


class OwnUse(NamedTuple):
    cpu_s: float  # user and system, since the process began
    memory_bytes: int  # resident


def read_own_use(proc: Path = Path("/proc")) -> OwnUse:
    """Resident memory is 0 where the system has no /proc."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    try:
        pages = int((proc / "self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        pages = 0
    return OwnUse(used.ru_utime + used.ru_stime, pages * os.sysconf("SC_PAGE_SIZE"))
