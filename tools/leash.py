"""A honcho process that ends with its manager, whichever way that ends (SIGKILL, closed output, a fault)."""

from __future__ import annotations

import os
import shlex
from typing import Any

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
