"""Keep the process small where large lists come and go: each thread would keep the gaps that one has left.

Without glibc there is nothing to do, and nothing is done. Loaded only where lists of VMs and jobs are kept.
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # of glibc's malloc.h

_libc = ctypes.CDLL(None)
_mallopt = getattr(_libc, "mallopt", None)
_trim = getattr(_libc, "malloc_trim", None)


def share_one_heap() -> None:
    """One heap for all threads, which take turns in Python anyway, in place of one for each."""
    if _mallopt is not None:
        _mallopt(_M_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Return free pages to the system."""
    if _trim is not None:
        _trim(0)
