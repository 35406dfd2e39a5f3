"""What `/fleet/batches/<name>` shows: its address read, its figures as facts, its results as rows. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from cloud_monitor.system.text import age_text, format_number, one_line
from webapp.errors import RequestRefused
from webapp.pages.cells import NOTHING, WARN, Cell
from webapp.views.fleet.page import clock_minute, coarse_span
from worker.review import (
    ANSWERS,
    DOUBTFUL_BELOW,
    FAILED,
    NOTE_NAMES,
    NOTED,
    TRUNCATED,
    After,
    BatchHistory,
    BatchPage,
    ResultFilter,
    ResultRow,
)

SHOWN = {
    ANSWERS: "read, least sure first",
    NOTED: "with a note",
    TRUNCATED: "truncated",
    FAILED: "failed",
}
TEXT_MAX = 200
_SMILES_MAX = 4000  # longer than any that the model writes


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for. `query_string` gives the same again."""

    chosen: ResultFilter
    after: After | None
    query_string: str
    is_narrowed: bool  # other than what a bare address shows


@dataclass(frozen=True, slots=True)
class BatchFact:
    label: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class ResultLine:
    """`smiles` is whole; None where there is an error."""

    image: Cell
    smiles: str | None
    error: Cell
    least: Cell
    mean: Cell
    notes: tuple[Cell, ...]
    read_by: Cell


@dataclass(frozen=True, slots=True)
class BatchView:
    name: str
    facts: tuple[BatchFact, ...]
    lines: tuple[ResultLine, ...]
    choices: tuple[tuple[str, str], ...]  # of `show`: value and words
    notes: tuple[str, ...]
    next_query: str  # "" on the last page
    given_up: str  # failed pictures that are in no list; "" where there are none


def read_asked(arguments: Mapping[str, str]) -> Asked:
    """Raises RequestRefused: 400 for what no link of the page says; empty fields ask nothing."""
    show = _one_of("show", arguments.get("show", ""), tuple(SHOWN)) or ANSWERS
    note = _one_of("note", arguments.get("note", ""), NOTE_NAMES)
    error, text = (arguments.get(name, "").strip()[:TEXT_MAX] for name in ("error", "text"))
    below = _share("below", arguments.get("below", "").strip())
    kept = {
        "show": "" if show == ANSWERS else show,
        "below": "" if below is None else f"{below:g}",
        "note": note,
        "error": error,
        "text": text,
    }
    is_narrowed = any(kept.values())
    after_text = arguments.get("after", "")
    after = _after(after_text) if after_text else None
    query_string = urlencode({name: value for name, value in (kept | {"after": after_text}).items() if value})
    # No text of a database holds NUL, and PostgreSQL refuses to be asked for one
    chosen = ResultFilter(show, below, note, error.replace("\0", ""), text.replace("\0", ""))
    return Asked(chosen, after, query_string, is_narrowed)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value and value not in known:
        raise RequestRefused(400, "bad_query", f"{name} must be one of {', '.join(known)}")
    return value


def _share(name: str, value: str) -> float | None:
    if not value:
        return None
    try:
        share = float(value)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise RequestRefused(400, "bad_query", f"{name} must be a confidence from 0 to 1")
    return share


def _after(value: str) -> After:
    try:
        least, chunk, number = value.split(",")
        found = After(float(least), int(chunk), int(number))
    except ValueError:
        found = None
    if found is None or not math.isfinite(found.least) or max(abs(found.chunk), abs(found.number)) >= 2**31:
        raise RequestRefused(400, "bad_query", "after must be as the link to the next page has it")
    return found


def batch_view(found: BatchPage, asked: Asked) -> BatchView:
    following = ""
    if (after := found.after) is not None:
        kept = urlencode({"after": f"{after.least!r},{after.chunk},{after.number}"})
        first = "&".join(
            part for part in asked.query_string.split("&") if part and not part.startswith("after=")
        )
        following = f"{first}&{kept}" if first else kept
    return BatchView(
        name=found.batch.name,
        facts=tuple(BatchFact(label, cell) for label, cell in _facts(found)),
        lines=tuple(_line(row) for row in found.rows),
        choices=tuple(SHOWN.items()),
        notes=NOTE_NAMES,
        next_query=following,
        given_up=_given_up(found.batch.images["failed"] - found.history.with_error),
    )


def _given_up(count: int) -> str:
    if count <= 0:
        return ""
    was = "picture has no result: it was" if count == 1 else "pictures have no result: they were"
    return f"{format_number(count)} failed {was} given up with their chunk. `worker retry` puts them back."


def _facts(found: BatchPage) -> Iterator[tuple[str, Cell]]:
    batch, history, at = found.batch, found.history, found.at
    total, failed = sum(batch.images.values()), batch.images["failed"]

    def when(moment: float | None) -> Cell:
        return Cell(NOTHING, "m") if moment is None else Cell(clock_minute(moment, at))

    yield "Pictures", Cell(format_number(total))
    yield "Read", Cell(format_number(batch.images["done"]), "" if batch.images["done"] else "z")
    yield "Failed", Cell(format_number(failed), WARN if failed else "z")
    yield "Unsure", Cell(format_number(batch.doubtful), "" if batch.doubtful else "z", _UNSURE)
    yield "Submitted, UTC", when(batch.created_at)
    yield "First claimed", when(history.first_claimed_at)
    yield "Done", when(batch.ended_at)
    if batch.deadline is not None:
        yield "Deadline", when(batch.deadline)
        due = batch.met + batch.missed
        yield "In time", Cell(f"{batch.met} of {due} chunks", WARN if batch.missed else "")
    yield "Claims", Cell(format_number(history.attempts))
    yield from _usage(batch.cpu_s, history)
    yield "Priority", Cell(str(batch.priority))


_UNSURE = f"least confidence under {DOUBTFUL_BELOW:g}"


def _usage(cpu_s: float, history: BatchHistory) -> Iterator[tuple[str, Cell]]:
    yield "CPU time", Cell(_span(cpu_s))
    yield "Wall time", Cell(_span(history.wall_s))
    if history.peak_memory_bytes:
        yield "Peak memory, MB", Cell(format_number(round(history.peak_memory_bytes / 1e6)))


def _span(seconds: float) -> str:
    return age_text(seconds) if 0 < seconds < 60 else coarse_span(seconds) if seconds else NOTHING


def _line(row: ResultRow) -> ResultLine:
    result = row.result
    least = min(result.confidences, default=None)
    mean = math.fsum(result.confidences) / len(result.confidences) if result.confidences else None
    return ResultLine(
        image=Cell(one_line(row.image), "t", one_line(row.image)),
        smiles=None if result.smiles is None else one_line(result.smiles, _SMILES_MAX),
        error=Cell(one_line(result.error or ""), "t"),
        least=_percent(least, is_low=least is not None and least < DOUBTFUL_BELOW),
        mean=_percent(mean),
        notes=tuple(Cell(note.name.replace("_", " "), "", one_line(note.evidence)) for note in result.notes),
        read_by=Cell(one_line(row.host), "t", one_line(row.worker)),
    )


def _percent(value: float | None, *, is_low: bool = False) -> Cell:
    if value is None:
        return Cell(NOTHING, "n m")
    return Cell(f"{format_number(round(100 * value, 1))} %", f"n {WARN}" if is_low else "n")
