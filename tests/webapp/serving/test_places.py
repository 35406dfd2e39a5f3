"""Calls to a source that may hang: who asks waits for a bounded time, and few hang with it."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.services.support import PATIENCE_S
from webapp.serving.kept import FAULT_KEPT_S
from webapp.serving.places import AT_ONCE, WAITING_MOST, Places, SourceAway


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_an_answer_and_an_error_of_the_question_are_passed_on() -> None:
    places: Places[int] = Places((OSError,), PATIENCE_S)
    assert places.call(lambda: 7) == 7
    for _ in range(AT_ONCE + 1):  # each gives its place back
        with pytest.raises(KeyError):
            places.call(lambda: {}["x"])
    assert places.call(lambda: 8) == 8


def test_a_fault_of_the_source_is_kept_for_a_while() -> None:
    clock = Clock()
    places: Places[int] = Places((OSError,), PATIENCE_S, clock)

    def fail() -> int:
        raise OSError("the share is gone")

    for ask in (fail, lambda: 7):
        with pytest.raises(SourceAway, match="the share is gone"):
            places.call(ask)
    clock.now_s += FAULT_KEPT_S + 0.1
    assert places.call(lambda: 7) == 7


def test_a_source_that_hangs_holds_few_and_not_for_long() -> None:
    """By a clock on which no fault is kept for long: each asks for itself."""
    ends, hours = threading.Event(), itertools.count(step=3600)
    places: Places[bool] = Places((OSError,), 0.2, lambda: next(hours))

    def hang() -> bool:
        return ends.wait(PATIENCE_S)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(places.call, hang) for _ in range(AT_ONCE)]
        for one in asked:
            with pytest.raises(SourceAway, match=r"no answer within 0\.2 s"):
                one.result(PATIENCE_S)
    with pytest.raises(SourceAway, match="others are being answered"):
        places.call(lambda: True)  # all places are still taken by what hangs
    ends.set()
    free = threading.Event()
    while not free.is_set():  # as soon as one of them has ended
        try:
            assert places.call(lambda: True)
            free.set()
        except SourceAway:
            continue


def test_few_wait_for_a_place() -> None:
    begun, ends = threading.Semaphore(0), threading.Event()
    places: Places[bool] = Places((OSError,), PATIENCE_S)

    def work() -> bool:
        begun.release()
        return ends.wait(PATIENCE_S)

    with ThreadPoolExecutor(AT_ONCE + WAITING_MOST) as pool:
        working = [pool.submit(places.call, work) for _ in range(AT_ONCE)]
        for _ in range(AT_ONCE):
            assert begun.acquire(timeout=PATIENCE_S)
        waiting = [pool.submit(places.call, lambda: True) for _ in range(WAITING_MOST)]
        ended = [one.exception(PATIENCE_S) for one in waiting]  # in vain, after a moment
        ends.set()
        assert [one.result(PATIENCE_S) for one in working] == [True] * AT_ONCE
    assert {type(error) for error in ended} == {SourceAway}
    assert places.call(lambda: True)
