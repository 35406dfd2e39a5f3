"""`python -m worker machines autoscale` whose clouds list nothing once after FOLDER/list-empty was made:
`python -m tests.worker.machines.faulty_manager CONFIG FOLDER`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from worker.__main__ import configure_logging
from worker.gate.limits import queue_policy
from worker.machines.configuration import read_machines_config
from worker.machines.manager import MachineManager
from worker.machines.model import CloudListing, CloudQuota, Leftover, MachineOrder, MachineSize
from worker.machines.providers.base import Provider, open_provider
from worker.queue import open_queue
from worker.settings import read_settings


class LyingProvider:
    def __init__(self, real: Provider, lie: Path) -> None:
        self._real = real
        self._lie = lie
        self.name = real.name

    def sizes(self) -> Sequence[MachineSize]:
        return self._real.sizes()

    def create(self, order: MachineOrder) -> str:
        return self._real.create(order)

    def list(self) -> CloudListing:
        if self._lie.exists():
            self._lie.unlink()
            return CloudListing()
        return self._real.list()

    def delete(self, provider_id: str) -> None:
        self._real.delete(provider_id)

    def delete_leftover(self, leftover: Leftover) -> None:
        self._real.delete_leftover(leftover)

    def limits(self) -> CloudQuota:
        return self._real.limits()


if __name__ == "__main__":
    configure_logging("INFO")
    settings = read_settings()
    config = read_machines_config(Path(sys.argv[1]))
    providers = {
        name: LyingProvider(
            open_provider(one.kind, name, one.options, config.fleet), Path(sys.argv[2]) / "list-empty"
        )
        for name, one in config.provider.items()
    }
    queue = open_queue(settings.queue_url, queue_policy(settings))
    environment = {"WORKER_DATABASE_URL": settings.queue_url}
    holder = f"{os.getpid()}-{os.urandom(3).hex()}"
    MachineManager(queue, config, providers, holder, environment).run(threading.Event().wait)
