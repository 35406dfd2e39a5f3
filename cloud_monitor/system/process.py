"""End with the parent: Linux's PR_SET_PDEATHSIG."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Make the kernel kill this process when the thread that started it ends. Fit for `preexec_fn`."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
