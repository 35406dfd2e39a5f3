"""`pause --all`, `resume --all` and `sweep` as an operator or an alert's action runs them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.services.programs import run_program
from worker.gate.temporary import PREFIX, RESERVED, TempFolder, lock_file


class Worker:
    def __init__(self, folder: Path) -> None:
        self.temp_dir = folder / "temp"
        (folder / "images").mkdir()
        for number in range(3):
            (folder / "images" / f"{number}.png").write_bytes(b"x")
        self.environment = {
            **os.environ,
            "WORKER_DATABASE_URL": f"sqlite:///{folder}/queue.sqlite",
            "WORKER_STORAGE_URL": str(folder / "images"),
            "WORKER_RESULTS_URL": str(folder / "results"),
            "WORKER_STATE_DIR": str(folder / "state"),
            "WORKER_TEMP_DIR": str(self.temp_dir),
        }

    def run(self, *arguments: str, status: int = 0) -> str:
        """What it printed, on standard output or of an error."""
        ended = run_program("worker", *arguments, environment=self.environment)
        assert ended.returncode == status, ended.stderr
        return (ended.stdout + ended.stderr).strip()


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


def test_the_whole_fleet_is_held_and_goes_on(worker: Worker) -> None:
    worker.run("enqueue", ".", "--name", "first")
    worker.run("enqueue", ".", "--name", "by-hand")
    worker.run("pause", "by-hand")
    assert worker.run("pause", "--all", "--reason", "disk full") == "the whole fleet is held"
    assert worker.run("pause", "--all") == "the whole fleet is held already"
    status = json.loads(worker.run("status", "--json"))
    assert (status["hold"]["reason"], status["paused"]) == ("disk full", status["chunks"]["pending"])
    assert "the whole fleet is held by" in worker.run("status").replace("\n", " ")
    assert "disk full" in worker.run("enqueue", ".", "--name", "second", status=1)
    assert worker.run("resume", "--all") == "the whole fleet goes on"
    assert worker.run("resume", "--all") == "the whole fleet was not held"
    status = json.loads(worker.run("status", "--json"))
    assert status["hold"] is None
    assert {one["name"]: one["paused"] for one in status["batches"]} == {"first": False, "by-hand": True}
    worker.run("pause", "first", "--all", status=2)


def test_what_dead_workers_left_is_swept_and_nothing_of_a_living_one(worker: Worker) -> None:
    living = TempFolder(worker.temp_dir, "living")
    dead = worker.temp_dir / f"{PREFIX}dead"
    dead.mkdir()
    (dead / RESERVED).touch()
    (dead / "image.png").write_bytes(b"x")
    not_ours = worker.temp_dir / f"{PREFIX}notes"
    not_ours.mkdir()
    (not_ours / "text").touch()
    assert worker.run("sweep") == f"{dead.name}\nremoved 1 folder below {worker.temp_dir}"
    assert sorted(worker.temp_dir.iterdir()) == sorted([living.path, not_ours, lock_file(worker.temp_dir)])
    assert worker.run("sweep").startswith("removed 0 folders")
