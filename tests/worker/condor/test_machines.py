"""Machines that are jobs of a real HTCondor pool: made, held, ended, and scaled by a real manager."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.condor import CondorPool
from tests.services.postgres import Postgres
from tests.services.support import stop_process, wait_until
from tests.worker.condor.test_fleet import SECRET, CondorFleet, become, make_python
from tests.worker.fleet import ROOT
from worker.machines.providers.base import ProviderRefused
from worker.machines.providers.condor import open_provider
from worker.queue import open_queue
from worker.queue.machines.lease import read_view
from worker.queue.statistics.queue import read_figures

PROVIDER = """
import json, sys
from worker.machines.model import MachineOrder
from worker.machines.providers.condor import open_provider
pool = open_provider("pool", {"cores": 1, "memory_mb": 400, "most": 1}, "by-hand")
if sys.argv[1] == "create":
    print(json.dumps(pool.create(MachineOrder(sys.argv[2], "g", "slot"))))
elif sys.argv[1] == "delete":
    pool.delete(sys.argv[2])
else:
    found = pool.list().machines
    print(json.dumps([[m.provider_id, m.name, m.group, m.state, m.fault, m.size] for m in found]))
"""
CONFIG = """
fleet = "f"
every_s = 0.5
lease_s = 5
[provider.pool]
kind = "condor"
cores = 1
memory_mb = 400
[group.g]
most = 2
idle_s = 0
drain_s = 1
images_per_s = 5
boot_s = 0
leave_s = 20
boot_give_up_s = 600
[[group.g.place]]
provider = "pool"
size = "slot"
"""


class PoolOfMachines(CondorFleet):
    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, "-c", PROVIDER, *arguments],
            cwd=ROOT, env=self.env(), capture_output=True, text=True, timeout=300, check=False,
            **become(self.pool),
        )  # fmt: skip

    def env(self) -> dict[str, str]:
        return self.pool.env("alice") | self.environment | {"WORKER_CONDOR_PYTHON": str(self.python)}

    def listed(self) -> list[list[Any]]:
        done = self.ask("list")
        assert done.returncode == 0, done.stderr
        found: list[list[Any]] = json.loads(done.stdout)
        return found


@pytest.fixture
def machines(condor_pool: CondorPool, postgres: Postgres) -> Iterator[PoolOfMachines]:
    folder = Path(tempfile.mkdtemp(prefix="condor-machines-"))  # pytest's tmp_path is closed to other users
    url = postgres.create_database().replace("postgres@", f"postgres:{SECRET}@")
    fleet = PoolOfMachines(folder, url, condor_pool)
    fleet.python = make_python(folder, condor_pool)
    yield fleet
    condor_pool.remove_jobs()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(300)
def test_a_job_is_made_once_held_for_a_reason_and_ended_once(
    machines: PoolOfMachines, condor_pool: CondorPool
) -> None:
    made = machines.ask("create", "by-hand-g-a")
    assert made.returncode == 0, made.stderr
    job = json.loads(made.stdout)
    assert json.loads(machines.ask("create", "by-hand-g-a").stdout) == job
    refused = machines.ask("create", "by-hand-g-b")
    assert "QuotaRefused: provider pool: there are 1 jobs already" in refused.stderr
    (found,) = machines.listed()
    assert (found[:3], found[5]) == ([job, "by-hand-g-a", "g"], "slot")
    ads = condor_pool.tool("condor_q", "-allusers", "-long")
    assert SECRET not in ads
    assert "WORKER_HOST_NAME=by-hand-g-a" in ads
    assert machines.run("submit", "--status").startswith("0 jobs")  # is none of `submit`
    wait_until(lambda: machines.listed()[0][3] == "running", "a slot for it")
    condor_pool.tool("condor_hold", job)
    wait_until(lambda: machines.listed()[0][3] == "failed", "the hold")
    assert "via condor_hold" in machines.listed()[0][4]
    for _ in range(2):
        assert machines.ask("delete", job).returncode == 0
    wait_until(lambda: not machines.listed(), "its end")


@pytest.mark.timeout(300)
def test_the_manager_makes_jobs_for_work_and_none_is_left(
    machines: PoolOfMachines, condor_pool: CondorPool
) -> None:
    config = machines.folder / "machines.toml"
    config.write_text(CONFIG)
    config.chmod(0o644)
    machines.environment["WORKER_MACHINES_CONFIG"] = str(config)
    for directory in range(4):
        machines.add_images(f"d{directory}", [bytes([directory + 1]) * (n + 1) for n in range(30)])
    machines.enqueue(chunk_images=15)
    log = machines.folder / "manager.log"
    with log.open("wb") as out:
        manager = subprocess.Popen(
            [machines.python, "-m", "worker", "machines", "autoscale"],
            cwd=ROOT, env=machines.env(), stdout=out, stderr=out, **become(condor_pool),
        )  # fmt: skip
    queue = open_queue(machines.database_url)
    try:
        wait_until(lambda: len(machines.rows()) == 120 or manager.poll() is not None, "all images done")
        assert manager.poll() is None, log.read_text()
        wait_until(lambda: not queue.database.read(read_view).machines, "no machine of the group")
        wait_until(lambda: not condor_pool.jobs("true"), "no job")
    finally:
        stop_process(manager)
        queue.close()
    machines.check_each_once()
    told = [event for event in read_figures(machines.database_url).events if event.kind == "machine_running"]
    assert told
    assert all(event.host.startswith("f-g-") for event in told)


def test_jobs_of_other_machines_cannot_share_a_file(tmp_path: Path) -> None:
    settings = tmp_path / "worker.toml"
    settings.write_text('database_url = "sqlite:////srv/queue.db"\n')
    with pytest.raises(ProviderRefused, match="provider pool: jobs on other machines cannot share an SQLite"):
        open_provider("pool", {"settings": str(settings)}, "f")
    with pytest.raises(ProviderRefused, match="provider pool: password: Extra inputs"):
        open_provider("pool", {"password": "x"}, "f")
