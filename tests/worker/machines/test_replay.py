"""A rule over the queue's own past: what it would have cost, and been late with."""

from __future__ import annotations

import pytest

from worker.machines.replay import Arrival, replay
from worker.machines.scaling import DeadlineRule, ThresholdRule


def test_one_batch_is_done_in_time_for_little_more_than_its_work() -> None:
    done = replay([Arrival(0, 7200, 10_000)], DeadlineRule(most=10), 1, 120, 3)
    assert (done.images, done.late_images) == (10_000, 0)
    assert 10_000 / 3600 < done.machine_hours < 1.25 * 10_000 / 3600
    assert done.cost == pytest.approx(3 * done.machine_hours)
    assert done.most == done.made == 3


def test_what_one_machine_cannot_do_in_time_is_late() -> None:
    done = replay([Arrival(0, 600, 10_000)], DeadlineRule(most=1), 1, 120, 1)
    assert 9_000 < done.late_images < 10_000


def test_the_classical_rule_makes_more_machines_of_the_same_work() -> None:
    day = [Arrival(hour * 3600, hour * 3600 + 3600, 3000) for hour in range(12)]
    deadline, thresholds = (replay(day, rule, 1, 120, 1) for rule in (DeadlineRule(), ThresholdRule()))
    assert deadline.late_images == 0
    assert thresholds.machine_hours > deadline.machine_hours
    assert thresholds.made > deadline.made


def test_nothing_came_and_nothing_was_made() -> None:
    assert replay([], DeadlineRule(), 1, 120, 1).made == 0
