"""Rates over a window and times left in words."""

from __future__ import annotations

import pytest

from worker.progress import Rate, duration_text


def test_rate_is_that_of_the_window() -> None:
    rate = Rate(window_s=10)
    for second in range(100):
        rate.add(float(second), second * (1 if second < 50 else 3))
    assert rate.images_per_s == pytest.approx(3)


def test_nothing_moves_without_two_marks() -> None:
    rate = Rate()
    rate.add(0, 5)
    assert rate.images_per_s == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 s"),
        (12.4, "12 s"),
        (200, "3 min 20 s"),
        (3900, "1 h 05 min"),
        (3 * 86400 + 4 * 3600, "3 d 04 h"),
        (-5, "0 s"),
    ],
)
def test_durations_in_words(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text
