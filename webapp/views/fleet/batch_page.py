"""What `/fleet/batches/<name>` shows: its figures as facts, its results as cards. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cloud_monitor.system.text import age_text, format_number, one_line
from webapp.pages.cells import NOTHING, WARN, Cell
from webapp.views.fleet.asked import SHOWN, Asked, folder_word
from webapp.views.fleet.cards import ResultCard, note_words, result_card
from webapp.views.fleet.page import clock_minute, coarse_span
from worker.review import DOUBTFUL_BELOW, NOTE_NAMES, BatchHistory, BatchPage


@dataclass(frozen=True, slots=True)
class BatchFact:
    label: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class BatchView:
    name: str
    facts: tuple[BatchFact, ...]
    cards: tuple[ResultCard, ...]
    choices: tuple[tuple[str, str], ...]  # of `show`: value and words
    notes: tuple[tuple[str, str], ...]  # value and words
    folders: tuple[tuple[str, str], ...]  # value and words
    more_folders: int  # that are not among these
    next_query: str  # "" on the last page
    given_up: str  # failed pictures that are in no list; "" where there are none


def batch_view(found: BatchPage, asked: Asked) -> BatchView:
    return BatchView(
        name=found.batch.name,
        facts=tuple(BatchFact(label, cell) for label, cell in _facts(found)),
        cards=tuple(result_card(row) for row in found.rows),
        choices=tuple(SHOWN.items()),
        notes=tuple((name, note_words(name)) for name in NOTE_NAMES),
        folders=tuple(_folders(found, asked)),
        more_folders=found.folders.count - len(found.folders.first),
        next_query="" if found.after is None else asked.query_from(found.after),
        given_up=_given_up(found.batch.images["failed"] - found.history.with_error),
    )


def _folders(found: BatchPage, asked: Asked) -> Iterator[tuple[str, str]]:
    """Those there are, the one asked for among them whatever it is."""
    shown = {
        folder_word(folder): f"{one_line(folder) or 'the source itself'} ({format_number(count)})"
        for folder, count in found.folders.first
    }
    if asked.folder and asked.folder not in shown:
        yield asked.folder, one_line(asked.folder)
    yield from shown.items()


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
