"""Rates over a window."""

from __future__ import annotations

import pytest

from worker.runner.rate import Rate


def test_rate_is_that_of_the_window() -> None:
    rate = Rate(window_s=10)
    for second in range(100):
        rate.add(float(second), second * (1 if second < 50 else 3))
    assert rate.images_per_s == pytest.approx(3)


def test_nothing_moves_without_two_marks() -> None:
    rate = Rate()
    rate.add(0, 5)
    assert rate.images_per_s == 0
