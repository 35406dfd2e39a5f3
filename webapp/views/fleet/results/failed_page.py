"""What `/fleet/failed` shows: its address read, the reasons, the pictures of the one chosen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from cloud_monitor.system.text import one_line
from webapp.errors import RequestRefused
from webapp.pages.cells import Cell, day_and_time
from webapp.views.fleet.results.asked import ERROR_MAX, after_text, read_after
from webapp.views.fleet.words import GIVEN_UP_TEXT, FailureReason, failure_reasons
from worker.queue.statistics.queue import QueueFigures
from worker.review import FAILED, GIVEN_UP, After, FailedChoice, FailedPage, ResultRow

_NAME_MAX = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """`query_string` says the choice again, without the page of the list."""

    chosen: FailedChoice
    after: After | None
    query_string: str


@dataclass(frozen=True, slots=True)
class FailedLine:
    image: Cell
    batch: str
    cells: tuple[Cell, ...]  # error, when, machine


@dataclass(frozen=True, slots=True)
class FailedView:
    heading: str
    reasons: tuple[FailureReason, ...]  # over all batches
    lines: tuple[FailedLine, ...]
    is_narrowed: bool
    query_string: str
    next_query: str  # "" on the last page


def read_wanted(arguments: Mapping[str, str]) -> Wanted:
    """Raises RequestRefused: 400 for what no link of the page says."""
    show = arguments.get("show", "") or FAILED
    if show not in (FAILED, GIVEN_UP):
        raise RequestRefused(400, "bad_query", f"show must be one of {FAILED}, {GIVEN_UP}")
    # No text of a database holds NUL, and PostgreSQL refuses to be asked for one
    error = arguments.get("error", "")[:ERROR_MAX].replace("\0", "")
    batch = arguments.get("batch", "")[:_NAME_MAX].replace("\0", "")
    kept = {"show": "" if show == FAILED else show, "error": error, "batch": batch}
    query_string = urlencode({name: value for name, value in kept.items() if value})
    return Wanted(FailedChoice(show, error, batch), read_after(arguments.get("after", "")), query_string)


def failed_view(found: FailedPage, figures: QueueFigures, wanted: Wanted) -> FailedView:
    chosen, failed = wanted.chosen, figures.images["failed"]
    reason = GIVEN_UP_TEXT if chosen.show == GIVEN_UP else one_line(chosen.error, 120)
    heading = f"Failed: {reason}" if reason else "With an error"
    return FailedView(
        heading=f"{heading}, of {one_line(chosen.batch, 80)}" if chosen.batch else heading,
        reasons=tuple(failure_reasons(figures.failures, failed)),
        lines=tuple(_line(row) for row in found.rows),
        is_narrowed=bool(wanted.query_string),
        query_string=_from(wanted.query_string, wanted.after),
        next_query="" if found.after is None else _from(wanted.query_string, found.after),
    )


def _from(query_string: str, after: After | None) -> str:
    """The same choice, from another picture on."""
    begin = "" if after is None else urlencode({"after": after_text(after)})
    return "&".join(filter(None, (query_string, begin)))


def _line(row: ResultRow) -> FailedLine:
    error = row.result.error or ""
    return FailedLine(
        image=Cell(one_line(row.image), "t", one_line(row.image)),
        batch=row.batch,
        cells=(
            Cell(one_line(error), "t", one_line(error)),
            Cell(day_and_time(row.stored_at)),
            Cell(one_line(row.host), "t", one_line(row.worker)),
        ),
    )
