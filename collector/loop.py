"""One run every so many seconds, each a process of its own, so that nothing grows from run to run.

What waits in between is a shell, which this process becomes: it takes 0.3 MB where Python takes eight.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import NoReturn

from cloud_monitor.program import part_command
from cloud_monitor.system.process import die_with_parent

RUN_OF = "--run-of"  # the option of a run that the shell starts: the process that it must not outlive
RUN_MAX_S = 60  # a run ends by itself under 50 s

# $1: seconds from run to run; the rest is a run's command. A run that is told to stop is waited for. A date
# without milliseconds (%3N) gives whole seconds. A child that was only just forked still has the shell's trap
# and loses the signal, so that it is told until it is gone.
_SHELL = r"""
every_ms=$(($1 * 1000))
shift
stop() {
    trap '' TERM INT
    child=$!
    while kill -TERM "$child"; do sleep 0.2; done >/dev/null 2>&1 &
    wait "$child"
    kill -KILL "$!"
    exit 0
}
trap stop TERM INT
while :; do
    "$@" &
    wait "$!"
    case $? in
        2) exit 2 ;;
        142) echo "collector: ERROR: a run did not end and was killed" >&2 ;;
    esac
    now_ms=$(date +%s%3N)
    case $now_ms in *[!0-9]*) now_ms=$(date +%s)000 ;; esac
    left_ms=$((every_ms - now_ms % every_ms))
    sleep "$(printf '%d.%03d' $((left_ms / 1000)) $((left_ms % 1000)))" >/dev/null 2>&1 &
    wait "$!"
done
"""


def run_loop(seconds: int, arguments: Sequence[str]) -> NoReturn:
    """The first run at once, the next in step with the clock; the process ends with 0 when a signal asks it
    to, and with 2 when a run's settings are refused.
    """
    run = [*part_command("collector"), *arguments, RUN_OF, str(os.getpid())]
    command = loop_command(seconds, run)
    os.execv(command[0], command)


def loop_command(seconds: int, run: Sequence[str]) -> list[str]:
    return ["/bin/sh", "-c", _SHELL, "collector", str(seconds), *run]


def bind_to_loop(pid: int) -> bool:
    """Make this run end with the loop, and by itself where it hangs; False where the loop has ended."""
    die_with_parent()
    signal.setitimer(signal.ITIMER_REAL, RUN_MAX_S)
    return os.getppid() == pid
