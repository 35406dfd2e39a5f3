"""Honcho's processes and their manager, so that all of them end: whichever way the manager does (SIGKILL,
closed output, a fault), and at whatever moment it is told to.
"""

from __future__ import annotations

import os
import shlex
from typing import Any

import honcho.manager  # type: ignore[import-untyped]
import honcho.process  # type: ignore[import-untyped]

from cloud_monitor.system.process import die_with_parent


class LeashedProcess(honcho.process.Process):  # type: ignore[misc]
    """Honcho runs each command under a watcher process: the watcher ends with honcho, the command with it."""

    def __init__(self, cmd: str, **options: Any) -> None:
        super().__init__(f"exec setpriv --pdeathsig TERM sh -c {shlex.quote(cmd)}", **options)
        self._manager_pid = os.getpid()

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        die_with_parent()
        if os.getppid() == self._manager_pid:  # else it ended before the leash was on
            super().run(events, ignore_signals)


class Manager(honcho.manager.Manager):  # type: ignore[misc]
    """Honcho's own fails, then waits for ever, when it is told to end before all processes have started."""

    def __init__(self) -> None:
        super().__init__()
        self._process_ctor = LeashedProcess
        self._asked = False

    def terminate(self) -> None:
        self._asked = True
        self._all_started()

    def _all_started(self) -> bool:
        """Honcho asks at each turn of its loop."""
        started: bool = super()._all_started()
        if started and self._asked:
            super().terminate()
        return started
