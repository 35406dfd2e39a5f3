"""The whole loop with real machines of this host, real supervisors and a real queue: from none to four and
back to none, over a boot that fails, an eviction, a manager that is killed, a list that is empty for a round,
and a database that is away. Every image has exactly one result, no machine is left, none was deleted while it
worked.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.services.needs import need
from tests.services.postgres import Postgres
from tests.services.support import absent, wait_until
from tests.worker.fleet import Fleet
from worker.machines.providers.local import LocalOptions, LocalProvider
from worker.queue.machines.lease import MachineView, read_view
from worker.queue.machines.machines import MachineState
from worker.queue.statistics.queue import read_figures

IMAGES = 600
CONFIG = """
fleet = "{fleet}"
every_s = 1
lease_s = 3
[preset.small]
cores = 1
memory_gb = 1
[provider.here]
kind = "local"
folder = "{folder}/machines"
most = 8
boot_s = 1
[group.loop]
most = 4
images_per_s = 2.9
boot_s = 2
settle_s = 15
drain_s = 60
idle_s = 1
silent_s = 8
lost_s = 60
missing_s = 20
leave_s = 30
boot_give_up_s = 60
[[group.loop.place]]
provider = "here"
preset = "small"
"""


class Loop:
    def __init__(self, folder: Path, database_url: str) -> None:
        need("root")
        self.folder = folder
        tag = f"test-{os.getpid()}"
        self.fleet = Fleet(folder, database_url, {"WORKER_STUB_S": "0.1", "WORKER_MAX_WORKERS": "1"})
        self.cloud = LocalProvider("here", LocalOptions(folder=folder / "machines"), tag)
        self.config = folder / "machines.toml"
        self.config.write_text(CONFIG.format(fleet=tag, folder=folder))
        self.queue = self.fleet.queue()
        self.manager: subprocess.Popen[bytes] | None = None

    def start_manager(self) -> None:
        command = (
            sys.executable,
            "-m",
            "tests.worker.machines.faulty_manager",
            str(self.config),
            str(self.folder),
        )
        self.manager = self.fleet.start(command)

    def kill_manager(self) -> None:
        assert self.manager is not None
        self.manager.kill()
        self.manager.wait()

    def view(self) -> MachineView:
        return self.queue.database.read(read_view)

    def named(self, state: MachineState) -> list[str]:
        return [row.name for row in self.view().machines if row.state is state]

    def done(self) -> int:
        return sum(count for _, count in self.queue.result_counts())

    def pull_the_plug(self, name: str) -> None:
        """As a cloud takes a spot machine, or a boot fails."""
        for group in self.cloud.list().machines:
            if group.name == name:
                for pid in self.pids(name):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def pids(self, name: str) -> list[int]:
        (group,) = self.cloud.root.glob(f"*@{name}")
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]

    def stop(self) -> None:
        self.queue.close()
        self.fleet.stop()
        for machine in self.cloud.list().machines:
            self.cloud.delete(machine.provider_id)
        with suppress(OSError):
            self.cloud.root.rmdir()


@pytest.fixture
def loop(tmp_path: Path, own_postgres: Postgres) -> Iterator[Loop]:
    if os.geteuid() != 0:
        absent("machines of this host need root")
    made = Loop(tmp_path, own_postgres.empty_database())
    yield made
    made.stop()


def test_from_none_to_four_and_back_over_every_fault(loop: Loop, own_postgres: Postgres) -> None:
    for directory in range(20):
        loop.fleet.add_images(f"d{directory:02}", [bytes([1 + directory]) * 900] * (IMAGES // 20))
    loop.fleet.enqueue(chunk_images=10)
    loop.start_manager()
    wait_until(lambda: len(loop.view().machines) == 4, "four machines are made")
    wait_until(lambda: loop.named(MachineState.BOOTING), "a machine boots")
    failing = loop.named(MachineState.BOOTING)[0]
    loop.pull_the_plug(failing)
    loop.kill_manager()
    loop.start_manager()
    wait_until(lambda: len(loop.named(MachineState.RUNNING)) >= 3, "three machines work")
    wait_until(lambda: loop.done() > 60, "images are done")
    (loop.folder / "list-empty").touch()
    wait_until(lambda: not (loop.folder / "list-empty").exists(), "the list was empty for a round")
    loop.kill_manager()
    own_postgres.stop("immediate")
    time.sleep(10)
    own_postgres.start()
    loop.start_manager()
    evicted = loop.named(MachineState.RUNNING)[0]
    loop.pull_the_plug(evicted)
    wait_until(lambda: loop.done() > 300, "images are done")
    loop.kill_manager()
    loop.start_manager()
    wait_until(lambda: loop.done() == IMAGES, "all images are done")
    wait_until(lambda: not loop.view().machines, "no machine is left")
    assert loop.cloud.list().machines == ()
    rows = Counter(row.image for row in loop.fleet.rows())
    assert rows == Counter(list(loop.fleet.contents))
    events = read_figures(loop.fleet.database_url, last=10_000).events
    ended = dict(event.message.split(": ", 1) for event in events if event.kind == "machine_deleting")
    assert {failing, evicted} <= ended.keys()
    allowed = ("it has drained", "it had not reported before it was to go")
    others = {name: why for name, why in ended.items() if name not in (failing, evicted)}
    assert {name: why for name, why in others.items() if why not in allowed} == {}
    assert list(others.values()).count("it has drained") >= 2
