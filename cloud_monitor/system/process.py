"""This process and the kernel: what it uses, its end with its parent's, the memory it gives back.

Without glibc there is no heap to trim, and nothing is done.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import signal
from pathlib import Path
from typing import NamedTuple

_PR_SET_PDEATHSIG = 1
_NO_LOGIN = 2**32 - 1  # the kernel's audit: started by no login, as a service is
_M_ARENA_MAX = -8  # of glibc's malloc.h

_libc = ctypes.CDLL(None, use_errno=True)
_mallopt = getattr(_libc, "mallopt", None)
_trim = getattr(_libc, "malloc_trim", None)


def die_with_parent() -> None:
    """Make the kernel kill this process when the thread that started it ends. Fit for `preexec_fn`."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def acting_user(proc: Path = Path("/proc")) -> str:
    """Who acts, for the record: who logged in, also where that user became another (sudo), and as whom."""
    user = _user_name(os.geteuid())
    try:
        logged_in = int((proc / "self/loginuid").read_text())
    except (OSError, ValueError):
        return user
    nobody = logged_in in (_NO_LOGIN, os.geteuid())
    return user if nobody else f"{_user_name(logged_in)} as {user}"


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


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
