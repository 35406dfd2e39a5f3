"""The queue's disk is full: said once, with what to do, and nothing is lost."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from tests.services.disks import fill, small_disk
from tests.services.programs import run_program
from worker.queue import QueuePolicy, QueueUnavailable, open_queue
from worker.queue.statistics.queue import read_figures


def worker(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "STATE_DIR": state,
        "STORAGE_URL": state.parents[1],
        "RESULTS_URL": state.parents[1] / "results",
    }
    environment = {f"WORKER_{name}": str(value) for name, value in settings.items()}
    return run_program("worker", *arguments, environment=environment)


def add_images(folder: Path, directories: int) -> None:
    for number in range(directories):
        (folder / f"d{number}").mkdir(parents=True)
        for image in range(20):
            (folder / f"d{number}/a-picture-with-a-rather-long-name-{image}.png").touch()


def test_enqueue_says_it_once_and_again_with_room_adds_the_rest(tmp_path: Path) -> None:
    add_images(tmp_path / "few", 1)
    add_images(tmp_path / "many", 300)
    (tmp_path / "results").mkdir()
    with small_disk(tmp_path / "disk", 1_500_000) as disk:
        state = disk / "state"
        assert worker(state, "enqueue", "few").returncode == 0
        filler = fill(disk)
        file = state / "queue.db"
        for command in (("enqueue", "many"), ("pause", "few")):
            done = worker(state, *command)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
            assert done.stderr.startswith(f"error: queue database sqlite:///{file}: d")
            advice = f": free some space on the disk of {state}; what the queue has is kept\n"
            assert done.stderr.endswith(advice)
        filler.unlink()
        assert read_figures(f"sqlite:///{file}").images["pending"] == 20
        done = worker(state, "enqueue", "many")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert read_figures(f"sqlite:///{file}").images["pending"] == 20 + 300 * 20


def test_who_waits_for_room_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with small_disk(tmp_path / "disk", 500_000) as disk:
        queue = open_queue(f"sqlite:///{disk}/queue.db", QueuePolicy(patience_s=1))
        filler = fill(disk)
        text = "x" * 1_000_000  # more than SQLite has room for in its files
        with caplog.at_level(logging.WARNING), pytest.raises(QueueUnavailable, match="disk is full: free"):
            queue.add_event("held_back", text)
        told = [record.getMessage() for record in caplog.records]
        assert [line.rpartition("; ")[2] for line in told] == ["trying again, for 1 s"]
        filler.unlink()
        queue.add_event("held_back", "y")
        queue.close()
