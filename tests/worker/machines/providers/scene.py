"""Rounds of the manager over a provider, with hosts that report as its machines would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.services.support import wait_until
from tests.worker.queue.helpers import open_new_queue
from worker.machines.configuration import read_machines_config
from worker.machines.manager import MachineManager
from worker.machines.providers.base import Provider
from worker.queue import HostReport, Queue
from worker.queue.machines.lease import MachineView, read_view
from worker.queue.machines.machines import MachineState


class Scene:
    """A queue, and managers over a cloud, each with nothing but what the queue and the cloud say."""

    def __init__(self, folder: Path, cloud: Provider, config: str) -> None:
        (folder / "user-data.yaml").write_text("#cloud-config\nhostname: {name}\n")
        path = folder / "machines.toml"
        path.write_text(config.replace("user-data.yaml", str(folder / "user-data.yaml")))
        self.config = read_machines_config(path)
        self.cloud = cloud
        self.queue: Queue = open_new_queue(folder / "queue.db")
        self.rounds = 0

    def round(self, holder: str = "me") -> None:
        MachineManager(self.queue, self.config, {self.cloud.name: self.cloud}, holder).round()
        self.rounds += 1

    def round_until(self, condition: Callable[[], object], what: str, workers: int = 1) -> None:
        def done() -> object:
            self.round()
            for row in self.view().machines:
                leaving = row.leave_at is not None
                if row.state is not MachineState.WISHED and row.provider_id:
                    figures = {"leaving": float(leaving), "images_done": 50, "busy_s": 10, "idle_s": 0}
                    report = HostReport(row.name, "local", 0 if leaving else workers, 0, 50, 20, 0, figures)
                    self.queue.report_host(report)
            return condition()

        wait_until(done, what)

    def view(self) -> MachineView:
        return self.queue.database.read(read_view)

    def states(self) -> list[MachineState]:
        return [row.state for row in self.view().machines]

    def work(self, images: int) -> None:
        batch = self.queue.add_batch("b", "/data")
        self.queue.add_directories(batch, [("d", [f"{n}.png" for n in range(images)])], 100)
