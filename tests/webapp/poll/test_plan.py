"""When the next poll is; that its globs cover every path there can be, and stay few."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cloud_monitor.metrics.paths import METRICS
from webapp.model.snapshot_view import PollOutcome
from webapp.poll.plan import is_whole_due, log_text, next_attempt, poll_targets

MINUTE = 1_800_000_000  # a multiple of 60


def due(outcome: PollOutcome, now: float = MINUTE + 30) -> float:
    return next_attempt(outcome, now, every_s=60, after_s=20)


def test_a_first_poll_is_due_at_once() -> None:
    assert due(PollOutcome()) == MINUTE + 30


def test_a_good_poll_is_followed_20_s_past_the_next_step() -> None:
    for attempted in (MINUTE + 20, MINUTE + 20.7, MINUTE + 59, MINUTE + 79.9):
        assert due(PollOutcome(attempted_at=attempted, succeeded_at=attempted)) == MINUTE + 80


def test_before_the_first_data_it_comes_soon_and_not_for_ever() -> None:
    for tries in (
        PollOutcome(failures=1),
        PollOutcome(failures=60),
        PollOutcome(empty_polls=1),
        PollOutcome(empty_polls=60),
    ):
        outcome = PollOutcome(
            attempted_at=MINUTE + 20, failures=tries.failures, empty_polls=tries.empty_polls
        )
        assert due(outcome) == MINUTE + 23
    assert due(PollOutcome(attempted_at=MINUTE + 20, failures=61)) >= MINUTE + 80
    assert due(PollOutcome(attempted_at=MINUTE + 20, succeeded_at=MINUTE, empty_polls=61)) == MINUTE + 80


def test_a_store_whose_polls_fail_is_asked_every_step_and_for_everything_less_often() -> None:
    for failures in range(1, 100):
        failed = PollOutcome(attempted_at=MINUTE + 20, succeeded_at=1, failures=failures)
        assert due(failed) == MINUTE + 80
        assert is_whole_due(failed, MINUTE + 80, 60)  # not even small answers came before
    waited = []
    for failures in range(1, 7):
        failed = PollOutcome(failures=9, whole_failures=failures, whole_attempted_at=MINUTE + 21)
        waited.append(next(n for n in range(1, 10) if is_whole_due(failed, MINUTE + 20 + 60 * n, 60)))
    assert waited == [1, 2, 4, 5, 5, 5]
    assert is_whole_due(failed, MINUTE - 7200, 60)  # the clock was set back


def test_a_clock_that_was_set_back_does_not_stop_polling() -> None:
    assert due(PollOutcome(attempted_at=MINUTE + 7200, succeeded_at=MINUTE + 7200)) == MINUTE + 30


@given(
    st.floats(1, 2**31),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.floats(1, 3600),
    st.floats(0, 3600),
    st.booleans(),
)
def test_polling_always_goes_on_and_never_at_once_again(
    attempted: float, failures: int, empty_polls: int, every_s: float, after_s: float, succeeded: bool
) -> None:
    assume(after_s < every_s)
    outcome = PollOutcome(
        attempted_at=attempted, succeeded_at=attempted * succeeded, failures=failures, empty_polls=empty_polls
    )
    at = next_attempt(outcome, attempted, every_s, after_s)
    assert attempted < at <= attempted + 6 * every_s


def pattern_of(glob: str) -> re.Pattern[str]:
    """Graphite's globs: * within a segment, {a,b} alternatives."""
    text = re.escape(glob).replace(r"\*", r"[^.]+")
    return re.compile(re.sub(r"\\{([^}]*)\\}", lambda found: f"(?:{found[1].replace(',', '|')})", text))


def test_every_metric_is_asked_for_once() -> None:
    patterns = [pattern_of(target) for target in poll_targets()]
    paths = (re.sub(r"\{(\w+)\}", r"some-\1", metric.template) for metric in METRICS)
    asked = {path: sum(bool(pattern.fullmatch(path)) for pattern in patterns) for path in paths}
    assert len(asked) > 100
    assert {path: times for path, times in asked.items() if times != 1} == {}


def test_the_batch_is_small() -> None:
    assert len(poll_targets()) <= 8


def _failing(count: int, error: str = "refused: 127.0.0.1:1") -> PollOutcome:
    return PollOutcome(failures=count, error=error if count else "")


@pytest.mark.parametrize(
    ("before", "after", "is_first", "told"),
    [
        (_failing(0), _failing(0), True, ""),
        (_failing(0), _failing(1), False, "poll failed: refused: 127.0.0.1:1"),
        (_failing(1), _failing(2), False, ""),
        (_failing(1), _failing(2, "refused: 127.0.0.1:2"), False, ""),
        (_failing(1), _failing(2, "HTML"), False, "poll failed: HTML"),
        (_failing(7), _failing(8), True, "poll failed: refused: 127.0.0.1:1"),
        (_failing(59), _failing(60), False, "poll still fails (60 in a row): refused: 127.0.0.1:1"),
        (_failing(60), _failing(61), False, ""),
        (_failing(61), _failing(0), False, "polls succeed again, after 61 that failed"),
    ],
)
def test_a_failure_that_goes_on_is_not_a_line_a_minute(
    before: PollOutcome, after: PollOutcome, is_first: bool, told: str
) -> None:
    assert log_text(before, after, is_first) == told
