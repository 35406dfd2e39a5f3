"""The processes of a `make run` profile, started one by one, so that each can be limited and measured."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import honcho.environ  # type: ignore[import-untyped]

from bench.limits import Group
from tests.services.support import free_port, stop_process
from tools.profiles import PROFILES
from tools.run import ROOT, environment_of_parts


class Stack:
    """A profile's processes on free ports under `folder`; `limits_mb` by service, and "all" for their sum."""

    def __init__(
        self, profile: str, folder: Path, given: Mapping[str, str], limits_mb: Mapping[str, float] | None
    ) -> None:
        self._profile = PROFILES[profile]
        ports = {name: free_port() for name in self._profile.ports}
        folder.mkdir(parents=True)
        self.page = f"http://127.0.0.1:{ports['PORT']}"
        self._environment = environment_of_parts(
            os.environ | given, self._profile.prepare(ports, folder), ports, folder
        )
        self._folder = folder
        self._limits_mb = limits_mb
        self._groups: dict[str, Group] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        procfile = (ROOT / self._profile.procfile).read_text()
        lines = dict(honcho.environ.parse_procfile(procfile).processes)
        lines.pop("fleet", None)  # the monitoring alone is measured
        if self._limits_mb is not None:
            self._groups["all"] = Group(
                f"cloud-monitor-{os.getpid()}-{self._folder.name}", self._limits_mb["all"]
            )
            for service in lines:
                self._groups[service] = Group(service, self._limits_mb.get(service), self._groups["all"])
        for service, line in lines.items():
            if self._groups:
                line = self._groups[service].charge(line)
            with open(self._folder / f"{service}.log", "ab") as log:
                self.processes[service] = subprocess.Popen(
                    ["sh", "-c", line],
                    env=self._environment,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    def log(self, service: str) -> str:
        """What a service has printed so far."""
        return (self._folder / f"{service}.log").read_text(errors="replace")

    def kills(self) -> int:
        """Processes killed by the limits."""
        return sum(group.kills() for name, group in self._groups.items() if name != "all")

    def ended(self) -> list[str]:
        """Services that do not run any more."""
        return [service for service, process in self.processes.items() if process.poll() is not None]

    def stop(self) -> None:
        for process in reversed(list(self.processes.values())):
            stop_process(process)
        for name, group in reversed(list(self._groups.items())):
            for _ in range(100):  # the last child of a run may take a moment to go
                try:
                    group.close()
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                raise RuntimeError(f"group {name} still holds processes")
