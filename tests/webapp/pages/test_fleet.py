"""The fleet's page: a queue is judged by the rules, and what both it and Graphite say is told once."""

from __future__ import annotations

import pytest

from cloud_monitor.metrics.paths import build_path
from webapp.model.build import build_snapshot
from webapp.model.fleet_queue import FleetQueue, FleetQueueBatch, FleetQueueHost
from webapp.model.health import Finding, HealthRules, Level
from webapp.model.judge import judge_health, judge_queue
from webapp.model.options import complete_thresholds
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Value
from webapp.pages.details import QueueView, fleet_page

NOW = 1_800_000_000
RULES = HealthRules(complete_thresholds({"chunks_failed": (2, 20)}), {}, {})
QUEUE = ("queue",)
FAILED = Finding(Level.WARN, "6 chunks given up", QUEUE)


@pytest.mark.parametrize(
    ("failed", "missed", "findings"),
    [
        (0, 0, []),
        (1, 1, [(Level.WARN, "1 chunk missed its deadline")]),
        (2, 0, [(Level.WARN, "2 chunks given up")]),
        (20, 3, [(Level.BAD, "20 chunks given up"), (Level.WARN, "3 chunks missed their deadline")]),
    ],
)
def test_chunks_of_a_queue_are_judged_by_the_thresholds(
    failed: int, missed: int, findings: list[tuple[Level, str]]
) -> None:
    found = judge_queue(FleetQueue(failed, missed, ()), RULES)
    assert [(one.level, one.text) for one in found] == [(level, f"queue: {text}") for level, text in findings]


def test_trouble_is_told_of_the_batches_that_have_it() -> None:
    batches = (
        FleetQueueBatch("a", 1, 0, 0.0),
        FleetQueueBatch("b", 19, 2, 900.0),
        FleetQueueBatch("c", 0, 0, 1200.0),
    )
    assert list(judge_queue(FleetQueue(20, 2, (), "", batches), RULES)) == [
        Finding(Level.BAD, "1 chunk given up", ("a",)),
        Finding(Level.BAD, "19 chunks given up", ("b",)),
        Finding(Level.WARN, "2 chunks missed their deadline", ("b",)),
        Finding(Level.WARN, "will be ready 20 min after its deadline at the present pace", ("c",)),
    ]


def test_a_host_that_is_silent_with_workers_or_held_back_is_trouble() -> None:
    hosts = (
        FleetQueueHost("a", 400, 3, ""),
        FleetQueueHost("gone", 400, 0, ""),
        FleetQueueHost("b", None, 2, "held back: its images fail"),
        FleetQueueHost("c", None, 2, ""),
    )
    assert list(judge_queue(FleetQueue(0, 0, hosts), RULES)) == [
        Finding(Level.BAD, "silent for 6 min", ("a",)),
        Finding(Level.BAD, "held back: its images fail", ("b",)),
    ]


@pytest.mark.parametrize(
    ("grids", "queue", "told"),
    [
        ("g", None, ["g / fleet: 5 chunks given up"]),
        ("g", QueueView((), (FAILED,), True), ["queue: 6 chunks given up"]),
        ("g", QueueView((), (), True), []),  # they were put back since
        (
            "g",
            QueueView((), (Finding(Level.STALE, "its figures cannot be read", QUEUE),), False),
            ["queue: its figures cannot be read", "g / fleet: 5 chunks given up"],
        ),
        ("gh", QueueView((), (), True), ["g / fleet: 5 chunks given up", "h / fleet: 5 chunks given up"]),
    ],
)  # fmt: skip
def test_what_the_queue_says_itself_is_not_told_by_graphite_too(
    grids: str, queue: QueueView | None, told: list[str]
) -> None:
    paths = [build_path("fleet_chunks", grid=grid, status="failed") for grid in grids]
    snapshot = build_snapshot(NOW, [Value(path, 5.0, NOW) for path in paths])
    well = PollOutcome(attempted_at=NOW, finished_at=NOW, succeeded_at=NOW)
    health = judge_health(SnapshotView(snapshot, well, NOW, 180), RULES)
    page = fleet_page(health, lambda endpoint, **names: endpoint, queue)
    assert [finding.text for finding in page.findings] == told


def test_a_hold_is_told_once_by_who_knows_its_reason() -> None:
    paths = {
        build_path("fleet_held", grid="g"): 1.0,
        build_path("fleet_chunks", grid="g", status="done"): 5.0,
    }
    snapshot = build_snapshot(NOW, [Value(path, value, NOW) for path, value in paths.items()])
    well = PollOutcome(attempted_at=NOW, finished_at=NOW, succeeded_at=NOW)
    health = judge_health(SnapshotView(snapshot, well, NOW, 180), RULES)
    (held,) = judge_queue(FleetQueue(0, 0, (), "the whole fleet is held by ann (disk)"), RULES)
    for queue, told in (
        (None, ["g / fleet: the whole fleet is held: nothing is claimed"]),
        (QueueView((), (held,), True), ["queue: the whole fleet is held by ann (disk)"]),
    ):
        page = fleet_page(health, lambda endpoint, **names: endpoint, queue)
        assert [finding.text for finding in page.findings] == told
