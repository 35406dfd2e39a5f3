"""Why a worker process ended, in words (pure)."""

from __future__ import annotations

import signal
from dataclasses import dataclass

EXIT_LEFT = 0  # left in order: nothing to do, drained, asked to
EXIT_FAILED = 1  # the recogniser raised an error, which the log has
EXIT_LATE = 75  # gave up its chunks because leaving in order took too long


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """`name` is short ("SIGSEGV", "OOM", "exit 3"); `images_may_be_cause`: those that were in flight."""

    name: str
    text: str
    in_order: bool
    images_may_be_cause: bool


def explain_exit(
    return_code: int,
    oom_kills: int,
    stall_s: float | None,
    asked_to_leave: bool = False,
    was_stopped: bool = False,
) -> WorkerExit:
    """From `Popen.returncode`, the growth of the OOM counter since the last look, how long the worker had
    made no progress when its supervisor ended it (None: it did not), and whether its supervisor had asked it
    to leave: one that was still starting ends by the signal itself.

    Who had been stopped (SIGSTOP) stalled by no image. A SIGKILL without an OOM kill comes from outside: no
    image is its cause.
    """
    if stall_s is not None and was_stopped:
        return WorkerExit("stopped", f"was stopped for {stall_s:.0f} s and was ended", False, False)
    if stall_s is not None:
        return WorkerExit("stalled", f"made no progress for {stall_s:.0f} s and was ended", False, True)
    if return_code == EXIT_LEFT:
        return WorkerExit("left", "left in order", True, False)
    if return_code == EXIT_LATE:
        return WorkerExit("late", "could not leave in order in time", False, False)
    if return_code > 0:
        return WorkerExit(f"exit {return_code}", f"exited with code {return_code}", False, True)
    name = _signal_name(-return_code)
    if asked_to_leave and name == "SIGTERM":
        return WorkerExit("left", "was asked to leave while it was starting", True, False)
    if asked_to_leave and name == "SIGKILL":
        return WorkerExit("late", "did not leave in time and was ended by its supervisor", False, False)
    if name == "SIGKILL" and oom_kills > 0:
        return WorkerExit("OOM", "was killed by the kernel because memory ran out (OOM)", False, True)
    if name in {"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"}:
        return WorkerExit(name, f"was ended from outside by {name}", False, False)
    return WorkerExit(name, f"crashed by {name}", False, True)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
