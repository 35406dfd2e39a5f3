"""`submit` and `withdraw` on a real HTCondor pool: the jobs are real supervisors, which end a real queue."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.condor import CondorPool
from tests.services.postgres import Postgres
from tests.services.support import absent, in_time, wait_until
from tests.worker.fleet import ROOT, Fleet
from worker.condor.fleet import CondorFleet as Submitter
from worker.condor.fleet import request_for, write_secret
from worker.condor.jobs import JobState, config_text, describe_job, fleet_name, job_request, missing_jobs
from worker.condor.pool import Pool, ask
from worker.errors import WorkerError
from worker.gate.model import ResourceEstimate
from worker.queue import StatedNeed, open_queue
from worker.queue.statistics.queue import read_figures
from worker.settings import Settings

SECRET = "s3cret-of-the-database"
WORKERS = 4


def become(pool: CondorPool) -> dict[str, Any]:
    """Arguments of subprocess for the user that the pool's daemons and jobs run as."""
    return {"user": pool.uid, "group": pool.gid, "extra_groups": []} if os.geteuid() == 0 else {}


def make_python(folder: Path, pool: CondorPool) -> Path:
    """A Python with this program for that user, who may have no way to this one's: the system's will do."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        script = folder / "python"
        path = ":".join([str(ROOT), *(entry for entry in sys.path if entry.endswith("site-packages"))])
        script.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {python} "$@"\n')
        script.chmod(0o755)
        probe = subprocess.run(
            [script, "-c", "import worker.supervisor.supervisor"],
            cwd="/",
            capture_output=True,
            check=False,
            **become(pool),
        )
        if probe.returncode == 0:
            return script
    absent(f"the user of the pool's daemons has no way to this program: {probe.stderr.decode()[-200:]}")


class CondorFleet(Fleet):
    """A fleet whose commands run as the user that the pool's daemons run as."""

    def __init__(self, folder: Path, database_url: str, pool: CondorPool) -> None:
        super().__init__(
            folder, database_url, {"WORKER_STUB_S": "0.1", "WORKER_DRAIN_S": "3", "WORKER_LEASE_S": "30"}
        )
        self.pool = pool
        self.python = Path(sys.executable)
        for path in (self.folder, self.images, self.results):
            path.mkdir(exist_ok=True)
            path.chmod(0o777)  # of the daemons' user, too

    def run(self, *arguments: str) -> str:
        environment = self.pool.env("alice") | self.environment | {"WORKER_CONDOR_PYTHON": str(self.python)}
        done = subprocess.run(
            [self.python, "-m", "worker", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
            **become(self.pool),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def jobs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("submit", "--json").splitlines()]

    def check_each_once(self) -> None:
        """Every image has one result and no error, and nothing is left anywhere."""
        rows = self.rows()
        assert sorted(row.image for row in rows) == sorted(self.contents), self.said()
        assert {row.result.error for row in rows} == {None}
        self.check_clean()

    def said(self) -> str:
        files = [*(self.folder / "state/condor").glob("*.err"), *(self.folder / "state/condor").glob("*.out")]
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in files)


@pytest.fixture
def fleet(condor_pool: CondorPool, postgres: Postgres) -> Iterator[CondorFleet]:
    folder = Path(tempfile.mkdtemp(prefix="condor-fleet-"))  # pytest's tmp_path is closed to other users
    url = postgres.create_database().replace("postgres@", f"postgres:{SECRET}@")
    fleet = CondorFleet(folder, url, condor_pool)
    fleet.python = make_python(folder, condor_pool)
    yield fleet
    condor_pool.remove_jobs()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(240)
def test_four_workers_finish_a_queue_though_one_is_held(fleet: CondorFleet, condor_pool: CondorPool) -> None:
    assert SECRET in fleet.database_url
    for directory in range(8):
        fleet.add_images(f"d{directory}", [bytes([directory + 1]) * (number + 1) for number in range(60)])
    fleet.enqueue(chunk_images=15)
    assert "submitted 4 of 4" in fleet.run("submit", "--workers", str(WORKERS), "--until-empty")
    assert "submitted 0 of 4" in fleet.run("submit", "--workers", str(WORKERS), "--until-empty")

    def working() -> set[str]:
        return {str(chunk.host) for chunk in read_figures(fleet.database_url).active}

    wait_until(lambda: len(working()) == WORKERS, "all workers at work")
    slots = {job["RemoteHost"]: job for job in condor_pool.jobs("JobStatus == 2")}
    assert all(host.startswith("slot1_") for host in slots)
    held = slots[min(working() & slots.keys())]
    held_id, slot = f"{held['ClusterId']}.{held['ProcId']}", held["RemoteHost"]
    condor_pool.tool("condor_hold", held_id)
    ads = condor_pool.tool("condor_q", "-allusers", "-long")
    assert SECRET not in ads
    assert "postgresql" not in ads
    wait_until(lambda: slot not in working(), "the held job's chunk released")
    others = WORKERS - 1
    wait_until(lambda: [job["status"] for job in fleet.jobs()] == ["held"], f"{others} jobs done")
    assert fleet.jobs()[0]["id"] == held_id
    fleet.check_each_once()
    figures = read_figures(fleet.database_url)
    assert figures.attempts.get("crashed", 0) == figures.attempts.get("expired", 0) == 0
    assert "withdrew 1 job" in fleet.run("withdraw")
    wait_until(lambda: not fleet.jobs(), "no job of the fleet")


@pytest.mark.timeout(180)
def test_jobs_are_kept_up_and_withdrawn(fleet: CondorFleet, condor_pool: CondorPool) -> None:
    """Without --until-empty jobs stay; a held one is replaced, and the named schedd is sent their files."""
    fleet.add_images("d", [b"x"])
    fleet.enqueue()
    fleet.environment |= {
        "WORKER_CONDOR_SCHEDD": "127-0-0-1.test.local", "WORKER_CONDOR_POOL": condor_pool.collector_host
    }  # fmt: skip
    fleet.run("pause", "--all")
    with pytest.raises(AssertionError, match="nothing is submitted: the whole fleet is held"):
        fleet.run("submit", "--workers", "2")
    assert fleet.jobs() == []
    fleet.run("resume", "--all")
    assert "submitted 2 of 2" in fleet.run("submit", "--workers", "2")
    wait_until(lambda: [job["status"] for job in fleet.jobs()] == ["running"] * 2, "two running")
    condor_pool.tool("condor_hold", fleet.jobs()[0]["id"])
    assert "submitted 1 of 2" in fleet.run("submit", "--workers", "2")
    wait_until(
        lambda: sorted(job["status"] for job in fleet.jobs()) == ["held", "running", "running"],
        "replaced",
    )
    assert "held" in fleet.run("submit", "--status")
    wait_until(lambda: fleet.rows(), "the image done")
    started = time.monotonic()
    assert "withdrew 3 jobs" in fleet.run("withdraw")
    wait_until(lambda: not fleet.jobs(), "no job of the fleet")
    assert in_time(time.monotonic() - started, 40)
    fleet.check_each_once()


def make_settings(**values: Any) -> Settings:
    return Settings(database_url=f"postgresql://who:{SECRET}@db.example/queue", **values)


def test_a_job_asks_for_what_its_workers_need() -> None:
    request = job_request(ResourceEstimate(300_000_000, 335_000_000, 1.2), make_settings(condor_workers=4))
    assert (request.cpus, request.workers) == (5, 4)
    assert request.memory_mb * 0.75 >= 4 * 300 + 335
    assert request.memory_mb < 2 * (4 * 300 + 335)
    assert request.disk_mb * 0.8 >= 4 * 500 * 0.5
    description = describe_job(make_settings(), request, Path("/state/worker-x.toml"), until_empty=True)
    assert description["request_cpus"] == "5"
    assert int(description["request_memory"]) * 1.048576 >= request.memory_mb + 100
    assert f"WORKER_MEMORY_MB={request.memory_mb}" in description["environment"]
    assert description["arguments"] == "-P -m worker --config worker-x.toml run --until-empty --any-outcome"


def test_a_job_asks_for_what_waiting_batches_state(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"database_url": f"sqlite:///{tmp_path / 'q.db'}", "decimer_engine": "stub"}
    )
    queue = open_queue(settings.queue_url)
    usual = request_for(queue, settings)
    batch = queue.add_batch("b", "/data", need=StatedNeed(6_000, 3))
    queue.add_directories(batch, [("", ["i.png"])], 10)
    stated = request_for(queue, settings)
    queue.close()
    assert usual.memory_mb < 1_000
    assert (stated.cpus, stated.memory_mb) == (3, 8_001), "75 % of it may be used"


@pytest.mark.parametrize(("engine", "least_mb"), [("onnx", 1500), ("stub", 0)])
def test_the_model_can_be_prepared_in_the_slot_of_a_single_worker(engine: str, least_mb: int) -> None:
    settings = make_settings(decimer_engine=engine)
    request = job_request(ResourceEstimate(300_000_000, 335_000_000), settings)
    description = describe_job(settings, request, Path("/state/worker-x.toml"), until_empty=True)
    assert request.memory_mb < 1000
    asked_mb = int(description["request_memory"]) * 1.048576
    assert max(least_mb, request.memory_mb + 100) <= asked_mb < max(least_mb, request.memory_mb + 200) + 2


def test_no_secret_is_in_the_description_but_in_the_file(tmp_path: Path) -> None:
    settings = make_settings(
        azure_connection_string="AccountKey=also-secret",
        storage_url="images ä 🧪",
        model_dir=Path('model "x"'),
    )
    description = describe_job(
        settings, job_request(ResourceEstimate(1, 1), settings), tmp_path / "w.toml", False
    )
    assert not any(secret in text for text in description.values() for secret in (SECRET, "also-secret"))
    path = tmp_path / "new" / "w.toml"
    write_secret(path, config_text(settings))
    assert path.stat().st_mode & 0o777 == 0o600
    values = tomllib.loads(path.read_text())
    assert values["database_url"] == settings.database_url
    assert values["azure_connection_string"] == "AccountKey=also-secret"
    assert values["storage_url"] == str(Path("images ä 🧪").absolute())
    assert values["model_dir"] == str(Path('model "x"').absolute())
    assert values.keys().isdisjoint({"state_dir", "temp_dir", "host_name", "cpus", "memory_mb"})
    again = Settings(**values)
    assert again.queue_url == settings.queue_url
    assert again.result_files_url == values["results_url"]


def test_a_fleet_is_named_by_its_queue_and_not_by_its_password() -> None:
    name = fleet_name(make_settings())
    assert name == fleet_name(Settings(database_url="postgresql://other:x@db.example/queue"))
    assert name != fleet_name(Settings(database_url="postgresql://other:x@db.example/other"))


def test_a_queue_in_a_file_is_refused() -> None:
    with pytest.raises(WorkerError, match="WORKER_DATABASE_URL"):
        Submitter(Settings())


@pytest.mark.parametrize(
    ("statuses", "missing"),
    [
        ((), 3),
        (("idle", "running", "transferring_output"), 0),
        (("running",) * 4, 0),
        (("running", "held", "held"), 2),
        (("held", "completed", "removed"), 3),
        (("running", "idle", "suspended", "held", "held", "held"), 0),
    ],
)
def test_jobs_that_are_held_or_over_are_replaced(statuses: tuple[str, ...], missing: int) -> None:
    assert missing_jobs(3, [make_job(number, status) for number, status in enumerate(statuses)]) == missing


def test_what_holds_every_job_does_not_fill_the_schedd() -> None:
    jobs = [make_job(number, "held") for number in range(3)]
    with pytest.raises(WorkerError, match=r"3 jobs are held .* 1\.2 because: no Python; .*condor_release"):
        missing_jobs(3, jobs)


def make_job(number: int, status: str) -> JobState:
    return JobState(f"1.{number}", status, "", 0, "no Python" if status == "held" else "")


def test_a_pool_that_is_not_there_is_named() -> None:
    with pytest.raises(WorkerError, match=r"WORKER_CONDOR_POOL=127\.0\.0\.1:9 "):
        Pool("", "127.0.0.1:9").list_jobs("x")


def test_a_schedd_that_never_answers_is_given_up() -> None:
    with pytest.raises(WorkerError, match=r"schedd x: no answer within 0.2 s"):
        ask(lambda: time.sleep(30), "schedd x", timeout_s=0.2)
    with pytest.raises(WorkerError, match=r"schedd x: .*by zero"):
        ask(lambda: 1 // 0, "schedd x")
    with pytest.raises(WorkerError, match=r"schedd x: its process ended without an answer \(status 3\)"):
        ask(lambda: os._exit(3), "schedd x")
    assert ask(lambda: 7, "schedd x") == 7
