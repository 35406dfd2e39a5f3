"""The fleet source over a real queue."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from cloud_monitor.metrics.paths import clean, parse_path
from collector.sources.fleet import collect, fleet_values
from tests.collector.support import collector_environment, make_settings, run_collector
from tests.worker.queue.helpers import add, answers, claim, queue_at
from worker.queue import DecisionNote, HostReport, Queue, QueuePolicy, Usage
from worker.queue.statistics.queue import read_figures

REPORT = HostReport(
    "vm1.example",
    "azure",
    3,
    1,
    71.5,
    60.0,
    5_000_000,
    {"price_per_hour": 0.36, "temp_limit_bytes": 8_000_000_000},
)


@pytest.fixture
def queue_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'queue.db'}"


@pytest.fixture
def queue(queue_url: str) -> Queue:
    """Ten images in five chunks: one done (an image of it failed), one active; three hosts."""
    queue = queue_at(queue_url, QueuePolicy(lease_s=30, attempts=3, backoff_s=10, patience_s=10))
    add(queue, "b1", 10, chunk_images=2, deadline=time.time() + 100)
    done = claim(queue)
    good, bad = answers(done)
    queue.store(done, [good, replace(bad, smiles=None, error="TruncatedImage: at byte 7")])
    queue.finish(done, Usage(cpu_s=2.5))
    claim(queue)
    for host, workers in (("vm1.example", 3), ("vm2", 2), ("vm3", 1)):
        queue.report_host(replace(REPORT, host=host, workers=workers))
        queue.note_decision(DecisionNote(host, "spawn", True, "room", {}))
        queue.note_decision(DecisionNote(host, "spawn", False, "cpu", {}))
    queue.note_decision(DecisionNote("vm3", "claim", True, "room", {}))
    return queue


def test_the_whole_fleet(queue: Queue, queue_url: str) -> None:
    found = dict(collect(make_settings(fleet_database_url=queue_url), 0).values)
    assert all(parse_path(path).metric.producer == "fleet" for path in found)
    own = {path.removeprefix("grids.g.fleet."): value for path, value in found.items()}
    chunks = {"pending": 3, "active": 1, "done": 1, "failed": 0, "cancelled": 0, "total": 5, "paused": 0}
    assert {name: own[f"chunks.{name}"] for name in chunks} == chunks
    assert (own["images.done"], own["images.failed"], own["images.total"]) == (1, 1, 10)
    assert own["failures.TruncatedImage"] == 1
    assert own["attempts.done"] == 1
    assert (own["deadlines.met"], own["deadlines.open"]) == (1, 4)
    assert 0 < own["next_deadline_s"] <= 100
    assert own["oldest_pending_s"] >= 0
    host = clean("vm1.example")
    figures = {
        "workers": 3,
        "loading": 1,
        "cpu_pct": 71.5,
        "memory_pct": 60,
        "temp_mb": 5,
        "temp_limit_mb": 8000,
    }
    assert {name: own[f"hosts.{host}.{name}"] for name in figures} == figures
    assert {path: value for path, value in own.items() if path.startswith("gate.")} == {
        "gate.spawn.cpu": 3, "gate.claim.room": 1
    }  # fmt: skip


def test_hosts_beyond_the_cap_are_summed(queue: Queue, queue_url: str) -> None:
    own = dict(fleet_values("g", read_figures(queue_url), names_max=1))
    assert own["grids.g.fleet.overflow.hosts"] == 2
    assert own["grids.g.fleet.hosts.other.workers"] == 3
    assert {path.split(".")[4] for path in own if ".hosts." in path} == {clean("vm1.example"), "other"}
    assert "grids.g.fleet.hosts.vm2.workers" not in own


def test_a_host_of_an_older_version_has_no_limit_of_temporary_files(queue: Queue, queue_url: str) -> None:
    queue.report_host(replace(REPORT, host="vm2", figures={}))
    own = dict(fleet_values("g", read_figures(queue_url), names_max=9))
    assert "grids.g.fleet.hosts.vm2.temp_limit_mb" not in own
    assert own["grids.g.fleet.hosts.vm3.temp_limit_mb"] == 8000


def test_an_empty_queue_has_no_pace(queue_url: str) -> None:
    queue_at(queue_url, QueuePolicy()).close()
    own = dict(fleet_values("g", read_figures(queue_url), names_max=9))
    assert own["grids.g.fleet.chunks.total"] == 0
    assert "grids.g.fleet.oldest_pending_s" not in own


def test_a_run_with_the_fleet(queue: Queue, queue_url: str, tmp_path: Path) -> None:
    environment = collector_environment(
        tmp_path, "127.0.0.1:1", SOURCES="fleet", FLEET_DATABASE_URL=queue_url
    )  # fmt: skip
    done = run_collector("--dry-run", environment=environment)
    assert done.returncode == 0, done.stderr
    values = {path: float(value) for path, value, _ in map(str.split, done.stdout.splitlines())}
    assert values["grids.g.heartbeat.fleet"] == 1
    assert values["grids.g.fleet.chunks.total"] == 5


def test_a_queue_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path / 'missing.db'}"
    environment = collector_environment(
        tmp_path, "127.0.0.1:1", SOURCES="host,fleet", FLEET_DATABASE_URL=missing
    )  # fmt: skip
    done = run_collector("--dry-run", environment=environment)
    assert done.returncode == 1
    assert "missing.db" in done.stderr
    assert "grids.g.heartbeat.fleet 0" in done.stdout
    assert "grids.g.sysinfo.load" in done.stdout
    assert not (tmp_path / "missing.db").exists()


def test_a_password_is_not_told(tmp_path: Path) -> None:
    environment = collector_environment(
        tmp_path,
        "127.0.0.1:1",
        SOURCES="fleet",
        FLEET_DATABASE_URL="postgresql+psycopg://who:s3cret@127.0.0.1:1/queue",
    )
    done = run_collector("--dry-run", environment=environment)
    assert done.returncode == 1
    assert "127.0.0.1:1/queue" in done.stderr
    assert "s3cret" not in done.stderr + done.stdout
