"""Why a worker process ended, in words (pure)."""

from __future__ import annotations

import signal
from dataclasses import dataclass

EXIT_LEFT = 0  # left in order: nothing to do, drained, asked to
EXIT_FAILED = 1  # the recogniser raised an error, which the log has
EXIT_LATE = 75  # gave up its chunks because leaving in order took too long


@dataclass(frozen=True, slots=True)
class Death:
    """`name` is short ("SIGSEGV", "OOM", "exit 3"); `blames` says whether the images in flight may be the
    cause.
    """

    name: str
    text: str
    in_order: bool
    blames: bool


def explain_death(return_code: int, oom_kills: int, stall_s: float | None) -> Death:
    """From `Popen.returncode`, the growth of the OOM counter since the last look, and how long the worker had
    made no progress when its supervisor ended it (None: it did not).

    A SIGKILL without an OOM kill comes from outside: it blames nobody.
    """
    if stall_s is not None:
        return Death("stalled", f"made no progress for {stall_s:.0f} s and was ended", False, True)
    if return_code == EXIT_LEFT:
        return Death("left", "left in order", True, False)
    if return_code == EXIT_LATE:
        return Death("late", "could not leave in order in time", False, False)
    if return_code > 0:
        return Death(f"exit {return_code}", f"exited with code {return_code}", False, True)
    name = _signal_name(-return_code)
    if name == "SIGKILL" and oom_kills > 0:
        return Death("OOM", "was killed by the kernel because memory ran out (OOM)", False, True)
    if name in {"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"}:
        return Death(name, f"was ended from outside by {name}", False, False)
    return Death(name, f"crashed by {name}", False, True)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
