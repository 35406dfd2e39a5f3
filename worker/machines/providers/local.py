"""Machines of this host: each a process tree with PID and host name spaces and a cgroup of its own, that runs
a supervisor. For laptops and tests; needs root, and no image, network or daemon.

The kernel is the cloud: what there is, is what lies below the fleet's cgroup, so that a manager that was
killed finds its machines again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from cloud_monitor.program import part_command
from worker.machines.model import (
    CloudListing,
    CloudMachine,
    CloudQuota,
    CloudState,
    Leftover,
    MachineOrder,
    MachineSize,
    QuotaUse,
)
from worker.machines.providers.base import (
    MIB_OF_GIB,
    Provider,
    ProviderOptions,
    ProviderRefused,
    ProviderUnavailable,
    QuotaRefused,
    read_options,
)

_V1 = Path("/sys/fs/cgroup/memory")
_KEYS = ("AWS_", "OS_", "AZURE_CLIENT_", "AZURE_FEDERATED_", "AZURE_PASSWORD", "AZURE_USERNAME")
_YOUNG_S = 2.0  # until then a group without processes is one that is being filled


class LocalOptions(ProviderOptions):
    folder: Path = Path("/var/lib/cloud-monitor/machines")  # of the machines' logs
    most: int = Field(8, ge=1)
    cores: int = Field(1, ge=1)  # WORKER_CPUS of each
    memory_mb: int = Field(1024, ge=64)
    boot_s: float = Field(0, ge=0)


class LocalProvider:
    def __init__(self, name: str, options: LocalOptions, fleet: str, cgroups: Path | None = None) -> None:
        self.name = name
        self._options = options
        self.root = (cgroups or (_V1 if _V1.is_dir() else _V1.parent)) / f"cloud-monitor-{fleet}"
        self._is_v1 = _V1.is_dir()

    def sizes(self) -> Sequence[MachineSize]:
        options = self._options
        return (MachineSize("local", options.cores, options.memory_mb / MIB_OF_GIB, price_per_hour=0),)

    def create(self, order: MachineOrder) -> str:
        group = self.root / f"{order.group}@{order.name}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if not group.is_dir() and len(self._groups()) >= self._options.most:
                raise QuotaRefused(f"provider {self.name}: there are {self._options.most} machines already")
            group.mkdir()
        except FileExistsError:
            return order.name
        except OSError as error:
            raise ProviderRefused(
                f"provider {self.name}: cannot make the cgroup {group}: {error.strerror}; it needs root"
            ) from None
        try:
            limit = "memory.limit_in_bytes" if self._is_v1 else "memory.max"
            (group / limit).write_text(str(self._options.memory_mb * 1_048_576))
            self._start(order, group)
        except OSError as error:
            group.rmdir()
            raise ProviderRefused(f"provider {self.name}: {error}") from None
        return order.name

    def _start(self, order: MachineOrder, group: Path) -> None:
        # Into the cgroup first: all that a machine starts is found there, and where it is gone nothing starts
        enter = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"'
        boot = 'hostname "$1"; sleep "$2"; shift 2; exec "$@"'
        run = [*part_command("worker"), "run", "--leave-idle", f"{order.leave_idle_s:g}"]
        apart = ["unshare", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc", "--uts"]
        inside = ["sh", "-c", boot, "sh", order.name, f"{self._options.boot_s:g}", *run]
        self._options.folder.mkdir(parents=True, exist_ok=True)
        with (self._options.folder / f"{order.name}.log").open("wb") as log:
            subprocess.Popen(
                ["sh", "-c", enter, "sh", str(group), *apart, *inside],
                env={**environment_of(order, os.environ), "WORKER_CPUS": str(self._options.cores)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def list(self) -> CloudListing:
        found = (self._machine(group) for group in self._groups())
        return CloudListing(tuple(machine for machine in found if machine is not None))

    def _machine(self, group: Path) -> CloudMachine | None:
        tag, _, name = group.name.partition("@")
        try:
            created_at = group.stat().st_mtime
        except FileNotFoundError:  # ended meanwhile
            return None
        young = time.time() - created_at < _YOUNG_S
        state = CloudState.RUNNING if _pids(group) else CloudState.BOOTING if young else CloudState.STOPPED
        return CloudMachine(name, name, tag, state, created_at, size="local")

    def delete(self, provider_id: str) -> None:
        for group in self._groups():
            if group.name.partition("@")[2] == provider_id:
                _end(group)

    def delete_leftover(self, leftover: Leftover) -> None:
        raise ProviderRefused(f"provider {self.name} leaves nothing over: {leftover.name}")

    def limits(self) -> CloudQuota:
        return CloudQuota(machines=QuotaUse(len(self._groups()), self._options.most))

    def _groups(self) -> Sequence[Path]:
        try:
            return sorted(path for path in self.root.iterdir() if path.is_dir())
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ProviderUnavailable(f"provider {self.name}: {self.root}: {error.strerror}") from None


def environment_of(order: MachineOrder, environ: Mapping[str, str]) -> dict[str, str]:
    """The manager's, without the keys of clouds that it may have there."""
    kept = {name: value for name, value in environ.items() if not name.startswith(_KEYS)}
    return {**kept, **order.environment}


def open_provider(name: str, options: Mapping[str, object], fleet: str) -> Provider:
    return LocalProvider(name, read_options(LocalOptions, name, options), fleet)


def _pids(group: Path) -> Sequence[int]:
    try:
        return sorted(map(int, (group / "cgroup.procs").read_text().split()))
    except OSError:
        return ()


def _end(group: Path) -> None:
    """Whatever runs in it is killed; the kernel takes a moment to notice."""
    for _ in range(200):
        for pid in _pids(group):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise ProviderUnavailable(f"{group} cannot be removed")
