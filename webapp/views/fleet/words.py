"""How the fleet's pages say times, counts and paces: coarse, so that a page on which nothing happens stays as
it is; why pictures failed; and their bars. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from cloud_monitor.system.text import age_text, format_number, one_line
from webapp.pages.cells import WARN, Cell
from worker.queue.statistics.batches import Forecast
from worker.queue.statistics.queue import BatchFigures
from worker.review import FAILED, GIVEN_UP

NO_TEXT = Cell("")
GIVEN_UP_TEXT = "given up with their chunk"
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


@dataclass(frozen=True, slots=True)
class FailureReason:
    """`width` in shares of 100 of the commonest reason; `query` chooses its pictures in a list of results."""

    text: str
    width: float
    count: Cell
    query: str
    is_given_up: bool  # they have no result, and so are in no list of results


def failure_reasons(failures: Mapping[str, int], failed: int, batch: str = "") -> Iterator[FailureReason]:
    """They sum to `failed`: pictures without a result were given up with theirs. Of one batch or of all."""
    found = [(kind, count, urlencode({"show": FAILED, "error": kind})) for kind, count in failures.items()]
    if (given_up := failed - sum(failures.values())) > 0:
        of_batch = {"batch": batch} if batch else {}
        found.append((GIVEN_UP_TEXT, given_up, urlencode({"show": GIVEN_UP, **of_batch})))
    most = max((count for _, count, _ in found), default=1)
    for text, count, query in sorted(found, key=lambda one: (-one[1], one[0])):
        yield FailureReason(
            one_line(text, 120) or "without a reason",
            bar_step(count, most),
            Cell(format_number(count)),
            query,
            is_given_up=text == GIVEN_UP_TEXT,
        )
