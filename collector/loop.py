"""One run every so many seconds, each a process of its own, so that nothing grows from run to run.

The process that waits in between carries none of a run's libraries.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Sequence
from types import FrameType

from cloud_monitor.program import part_command
from cloud_monitor.system.process import die_with_parent

log = logging.getLogger("collector")

SETTINGS_REFUSED = 2
_RUN_MAX_S = 60  # a run ends by itself under 50 s


class _Stopped(Exception):
    """SIGTERM or SIGINT came."""


def run_loop(seconds: int, arguments: Sequence[str]) -> int:
    """The first run at once, the next in step with the clock; returns 0 when asked to end by a signal."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Stopped

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        while True:
            if _run(arguments) == SETTINGS_REFUSED:
                return SETTINGS_REFUSED
            time.sleep(seconds - time.time() % seconds)
    except _Stopped:
        return 0


def _run(arguments: Sequence[str]) -> int:
    command = [*part_command("collector"), *arguments]
    with subprocess.Popen(command, preexec_fn=die_with_parent) as process:
        try:
            return process.wait(_RUN_MAX_S)
        except subprocess.TimeoutExpired:
            log.error("the run of process %d does not end and is killed", process.pid)
            process.kill()
            return process.wait()
        except _Stopped:
            process.terminate()
            raise
