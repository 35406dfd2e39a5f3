"""This process and the kernel: what it uses, its end with its parent's, the memory it gives back.

Without glibc there is no heap to trim, and nothing is done.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from pathlib import Path
from typing import NamedTuple

_PR_SET_PDEATHSIG = 1
_M_ARENA_MAX = -8  # of glibc's malloc.h

_libc = ctypes.CDLL(None, use_errno=True)
_mallopt = getattr(_libc, "mallopt", None)
_trim = getattr(_libc, "malloc_trim", None)


def die_with_parent() -> None:
    """Make the kernel kill this process when the thread that started it ends. Fit for `preexec_fn`."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


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


def share_one_heap() -> None:
    """One heap for all threads, which take turns in Python anyway: each of several would keep the gaps that
    a large list has left in it.
    """
    if _mallopt is not None:
        _mallopt(_M_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Return free pages to the system."""
    if _trim is not None:
        _trim(0)
