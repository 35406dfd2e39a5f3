"""The fleet's batches as figures: what is sent of each, which come first, and how many names a day has."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cloud_monitor.metrics.paths import clean, parse_path
from collector.sources.fleet import collect
from collector.sources.fleet_figures import batch_values, sent_batches
from collector.sources.top_n import cap_batches
from collector.zerofill import merge_seen
from tests.collector.support import make_settings
from tests.worker.queue.helpers import add, answers, claim, complete, let_pass, queue_at
from worker.queue import Queue, QueueTarget, Result, Usage
from worker.queue.statistics.queue import QueueFigures, read_figures

HOSTILE = "2026.11/<b> run"


@pytest.fixture
def queue_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'queue.db'}"


@pytest.fixture
def queue(queue_url: str) -> Queue:
    return queue_at(queue_url)


def read(queue: Queue, queue_url: str) -> QueueFigures:
    return read_figures(queue_url, last=0)


def test_the_figures_of_a_batch(queue: Queue, queue_url: str) -> None:
    add(queue, HOSTILE, 10, chunk_images=5, deadline=time.time() + 100)
    held = claim(queue)
    sure = Result(1, "C", ("C",), (0.75,))
    queue.store(held, [answers(held)[0], sure, *(Result(number, None, error="X: y") for number in (2, 3, 4))])
    queue.finish(held, Usage(cpu_s=2.5, wall_s=4.0, peak_memory_bytes=6_000_000))
    queue.release(claim(queue), "leaves", None)
    claim(queue)
    found = dict(collect(make_settings(fleet_database_url=queue_url), 0).values)
    stem = f"grids.g.fleet.batches.{clean(HOSTILE)}."
    own = {path.removeprefix(stem): value for path, value in found.items() if path.startswith(stem)}
    assert all(parse_path(stem + name).metric.family == "fleet_batches" for name in own)
    assert 0 < own.pop("deadline_s") <= 100
    assert own == {
        "images": 10, "waiting": 5, "read": 2, "failed": 3, "doubtful": 1, "images_per_s": 0, "paused": 0,
        "met": 1, "missed": 0, "claims": 3, "retries": 1, "cpu_s": 2.5, "wall_s": 4, "peak_memory_mb": 6,
    }  # fmt: skip
    assert found["grids.g.fleet.overflow.batches"] == 0


def test_running_batches_come_first_then_waiting_ones_then_the_last_that_ended(
    queue: Queue, queue_url: str
) -> None:
    for name in ("old", "ended"):
        add(queue, name, 2)
        complete(queue, claim(queue))
        let_pass(queue, 3000)
    add(queue, "waits", 2)
    add(queue, "urgent", 2, priority=3)
    add(queue, "runs", 2, priority=3)
    queue.pause(QueueTarget("urgent"))
    claim(queue)
    queue.resume(QueueTarget("urgent"))
    figures = read(queue, queue_url)
    assert [batch.name for batch in sent_batches(figures, 9)] == ["runs", "urgent", "waits", "ended"]
    values = dict(batch_values("g", figures, {}, 2))
    assert {path.split(".")[4] for path in values if ".batches." in path and "overflow" not in path} == {
        "runs", "urgent",
    }  # fmt: skip
    assert values["grids.g.fleet.overflow.batches"] == 2


def test_a_day_takes_no_more_names_however_many_batches_come_and_go() -> None:
    seen: dict[str, int] = {}
    for minute in range(50):
        names = ["steady", *(f"m{minute}_{number}" for number in range(20))]
        values = [(f"grids.g.fleet.batches.{name}.read", 1.0) for name in names]
        values += [("grids.g.fleet.overflow.batches", 3.0), ("grids.g.fleet.batches_of.x", 7.0)]
        kept = dict(cap_batches("g", values, seen, 30))
        assert kept["grids.g.fleet.batches.steady.read"] == 1
        assert kept["grids.g.fleet.batches_of.x"] == 7
        seen = merge_seen(seen, kept, 60 * minute)
    assert len([path for path in seen if ".fleet.batches." in path]) == 30
    assert kept["grids.g.fleet.overflow.batches"] == 3 + 20
