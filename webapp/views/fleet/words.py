"""How the fleet's pages say times, counts and paces: coarse, so that a page on which nothing happens stays as
it is; and their bars. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cloud_monitor.system.text import age_text, format_number, one_line
from webapp.pages.cells import WARN, Cell
from worker.queue.statistics.batches import Forecast
from worker.queue.statistics.queue import BatchFigures

NO_TEXT = Cell("")
_BAR_STEPS = 200  # a bar is drawn in steps, so that the page stays the same while little moves


@dataclass(frozen=True, slots=True)
class Bar:
    """Parts of a whole in shares of 100, each with the class of its look."""

    parts: tuple[tuple[str, float, float], ...]  # look, begin, width
    text: Cell = NO_TEXT


def margin_text(ready_at: float, deadline: float | None) -> str:
    if deadline is None:
        return ""
    side = "before" if ready_at <= deadline else "after"
    return f", {coarse_span(abs(deadline - ready_at))} {side} its deadline"


def ready_cells(batch: BatchFigures, found: Forecast, at: float) -> tuple[Cell, Cell]:
    """When, and what is to be said of it."""
    if not found.left:
        if batch.ended_at is None:
            return Cell("read" if sum(batch.images.values()) else "nothing to read", "t"), Cell("")
        text = "read" + margin_text(batch.ended_at, batch.deadline)
        is_late = batch.deadline is not None and batch.ended_at > batch.deadline
        return Cell(clock_minute(batch.ended_at, at), "t"), Cell(text, WARN if is_late else "")
    if batch.paused:
        return Cell("paused", "t"), Cell("")
    if found.ready_at is None:
        return Cell("not known", "t z"), Cell("nothing was read in the last minute")
    margin = margin_text(found.ready_at, batch.deadline).removeprefix(", ")
    is_late = batch.deadline is not None and found.ready_at > batch.deadline
    after = f"after {one_line(found.waits_for, 60)}" if found.waits_for else ""
    text = f"{clock_minute(found.ready_at, at)}, in {coarse_span(found.ready_at - at)}"
    return Cell(text, "t"), Cell("; ".join(filter(None, (margin, after))), WARN if is_late else "")


def bar_parts(total: int, counts: tuple[tuple[str, int], ...]) -> tuple[tuple[str, float, float], ...]:
    found, begin = [], 0.0
    for look, count in counts:
        width = bar_step(count, total)
        found.append((look, begin, width))
        begin += width
    return tuple(part for part in found if part[2])


def bar_step(count: float, whole: float) -> float:
    """In shares of 100; what there is shows."""
    if not count or not whole:
        return 0.0
    return max(1, round(_BAR_STEPS * min(1.0, count / whole))) * 100 / _BAR_STEPS


def pace_text(images_per_s: float, unit: str = " pictures") -> str:
    """A minute, or an hour where it is slow."""
    a_minute = 60 * images_per_s
    if 0 < a_minute < 1:
        return f"{format_number(round(60 * a_minute))}{unit}/h"
    return f"{format_number(round(a_minute))}{unit}/min"


def pictures_text(count: int) -> str:
    return count_text(count, "picture")


def count_text(count: int, noun: str) -> str:
    return f"{format_number(count)} {noun}{'' if count == 1 else 's'}"


def coarse_span(seconds: float) -> str:
    return "under 1 min" if seconds < 60 else age_text(seconds)


def clock_minute(at: float, now: float) -> str:
    """In UTC; with the day and the year where they are others than now's."""
    day, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    if day.year != today.year:
        return f"{day:%d %b} {day.year} {day:%H:%M}"
    return day.strftime("%H:%M" if day.date() == today.date() else "%d %b %H:%M")


def at_least(count: int, documents: int) -> str:
    """A number of pictures, of which so many may be documents whose pages nobody has counted yet."""
    return f"{'at least ' if documents else ''}{format_number(count)}"
