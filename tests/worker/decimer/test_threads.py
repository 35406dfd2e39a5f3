"""Threads over one stream: everything comes once, failures reach the caller, nothing is left running."""

import threading
from collections.abc import Iterator

import pytest

from tests.services.support import PATIENCE_S
from worker.decimer.engine import run_threads


def double(items: Iterator[int]) -> Iterator[int]:
    for item in items:
        yield 2 * item


def count_threads() -> int:
    return sum(thread.name.startswith("recogniser-") for thread in threading.enumerate())


def test_every_item_is_worked_on_once() -> None:
    assert sorted(run_threads(double, range(1000), 4)) == list(range(0, 2000, 2))


def test_what_the_source_raises_is_raised() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise KeyError("source")

    with pytest.raises(KeyError, match="source"):
        list(run_threads(double, source(), 3))


def test_what_the_work_raises_is_raised_and_ends_the_others() -> None:
    def fail(items: Iterator[int]) -> Iterator[int]:
        for item in items:
            if item == 7:
                raise ValueError("seven")
            yield item

    def endless() -> Iterator[int]:
        number = 0
        while True:
            number += 1
            yield number

    with pytest.raises(ValueError, match="seven"):
        list(run_threads(fail, endless(), 3))


def test_closing_ends_the_threads() -> None:
    before = count_threads()
    results = run_threads(double, iter(int, 1), 3)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    for thread in threading.enumerate():
        if thread.name.startswith("recogniser-"):
            thread.join(PATIENCE_S)
    assert count_threads() <= before
