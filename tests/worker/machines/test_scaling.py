"""How many machines the rules ask for, and how they say why."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.machines.scaling import (
    DeadlineRule,
    Due,
    Memory,
    ScalingInput,
    ScalingReason,
    ThresholdRule,
    machines_needed,
)

NOW = 1_000_000.0
NOTHING = ScalingInput(NOW, (), machines=0, up=0, images_per_s=2.0, boot_s=300)


def asked(rule: DeadlineRule | ThresholdRule, given: ScalingInput, rounds: int = 1) -> list[int]:
    """What the rule wants in so many rounds of one minute, in which the machines follow it at once."""
    memory, wanted = Memory(), []
    for number in range(rounds):
        decision = rule(replace(given, now_s=given.now_s + 60 * number), memory)
        memory = decision.memory
        given = replace(given, machines=decision.wanted, up=min(given.up, decision.wanted))
        wanted.append(decision.wanted)
    return wanted


@pytest.mark.parametrize(
    ("images", "due_in_s", "up", "expected"),
    [
        # without any machine: 2 images/s from 300 s on
        (1200, 900, 0, 1),  # 600 s of one machine
        (1201, 900, 0, 2),
        (4800, 900, 0, 4),
        # three machines that are up do 5400 images by then, the fourth only 1200
        (5400, 900, 3, 3),
        (6600, 900, 3, 4),
        (6601, 900, 3, 5),
        (100, -50, 0, 1),  # overdue: as if a minute were left, once it is up
        (121, -50, 0, 2),
    ],
)
def test_machines_that_a_deadline_needs(images: float, due_in_s: float, up: int, expected: int) -> None:
    given = replace(NOTHING, work=(Due(NOW + due_in_s, images),), machines=up, up=up)
    assert machines_needed(given, aim=1, spare=1, drain_s=7200)[0] == expected


def test_the_deadline_that_asks_for_most_decides() -> None:
    work = (Due(NOW + 3600, 3000), Due(NOW + 600, 2400), Due(None, 100))
    needed, deadline_s = machines_needed(replace(NOTHING, work=work), aim=1, spare=1, drain_s=7200)
    assert (needed, deadline_s) == (4, NOW + 600)


def test_work_without_a_deadline_is_to_be_done_within_its_time() -> None:
    given = replace(NOTHING, work=(Due(None, 2 * (3900 - 300) * 5),))
    assert machines_needed(given, aim=1, spare=1, drain_s=3900)[0] == 5


def test_more_are_asked_for_at_once_and_fewer_only_after_the_settling_time() -> None:
    rule = DeadlineRule(aim=1, spare=1, spare_in=1, settle_s=300, most=50)
    much = replace(NOTHING, work=(Due(NOW + 900, 12_000),))
    assert asked(rule, much) == [10]
    little = replace(NOTHING, work=(Due(NOW + 7200, 1000),), machines=10, up=10)
    assert asked(rule, little, rounds=6) == [10, 10, 10, 10, 1, 1]
    first = rule(little, Memory())
    assert first.reason is ScalingReason.SETTLING
    assert first.text == (
        "1,000 images; those due in 2 h need 1 machine at 2 images/s each; "
        "10 stay until fewer were enough for 5 min"
    )


def test_idle_machines_go_after_a_minute_but_for_the_least() -> None:
    idle = replace(NOTHING, machines=4, up=4)
    assert asked(DeadlineRule(), idle, rounds=2) == [4, 0]
    assert asked(DeadlineRule(least=1), idle, rounds=2) == [4, 1]
    assert DeadlineRule()(idle, Memory()).reason is ScalingReason.KEEPING_IDLE


def test_limits_are_named_where_they_decide() -> None:
    much = replace(NOTHING, work=(Due(NOW + 900, 1e6),))
    decision = DeadlineRule(most=7)(much, Memory())
    assert (decision.wanted, decision.reason) == (7, ScalingReason.MOST)
    assert decision.text.endswith("; at most 7")
    decision = DeadlineRule(least=2)(NOTHING, Memory())
    assert (decision.wanted, decision.reason) == (2, ScalingReason.LEAST)


def test_thresholds() -> None:
    work = (Due(None, 1e6),)
    rule = ThresholdRule(cooldown_s=120)
    assert asked(rule, replace(NOTHING, work=work)) == [1]
    busy = replace(NOTHING, work=work, machines=3, up=3, cpu_share=0.95)
    assert asked(rule, busy, rounds=5) == [4, 4, 5, 5, 6]
    assert asked(rule, replace(busy, cpu_share=0.1), rounds=3) == [2, 2, 1]
    assert asked(rule, replace(busy, cpu_share=0.5), rounds=3) == [3, 3, 3]
    assert asked(rule, replace(busy, cpu_share=0.5, idle=2)) == [1]
    assert asked(rule, replace(busy, cpu_share=None)) == [3]
    assert rule(busy, Memory()).text == "95 % of the CPUs of 3 machines are used, over 80 %"


DUES = st.lists(
    st.builds(Due, st.none() | st.floats(NOW - 1000, NOW + 1e6), st.floats(0, 1e6)), max_size=20
).map(tuple)
INPUTS = st.builds(
    lambda work, up, booting, rate, boot_s, cpu: ScalingInput(NOW, work, up + booting, up, rate, boot_s, cpu),
    DUES,
    st.integers(0, 30),
    st.integers(0, 30),
    st.floats(0.01, 100),
    st.floats(0, 3000),
    st.none() | st.floats(0, 1),
)


@given(INPUTS, st.integers(0, 5), st.integers(5, 40))
def test_every_decision_is_within_the_limits_and_explains_itself(
    given: ScalingInput, least: int, most: int
) -> None:
    for rule in (DeadlineRule(least=least, most=most), ThresholdRule(least=least, most=most)):
        decision = rule(given, Memory())
        assert least <= decision.wanted <= most
        assert decision.text
        assert all(math.isfinite(value) for value in decision.figures.values())


@given(INPUTS, st.floats(0, 1e5))
def test_more_work_never_needs_fewer_machines(given: ScalingInput, more: float) -> None:
    larger = replace(given, work=(*given.work, Due(NOW + 600, more)))
    assert machines_needed(larger, 0.5, 1.2, 7200)[0] >= machines_needed(given, 0.5, 1.2, 7200)[0]
