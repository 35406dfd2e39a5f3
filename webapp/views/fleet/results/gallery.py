"""The gallery of `/fleet/batches/<name>`: results as cards, and what chooses among them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cloud_monitor.system.text import format_number, one_line, without_controls
from webapp.pages.cells import NOTHING, WARN, Cell
from webapp.views.fleet.results.asked import SHOWN, Asked, folder_word
from worker.review import NOTE_NAMES, UNPARSABLE, BatchPage, ResultRow

SHOWN_MAX = 20_000  # characters of a SMILES; far more than any that the model writes
_NOTE_WORDS: Mapping[str, str] = {
    "lead_for_phenyl": "Pb for Ph?",
    "r_labels": "group labels",
    UNPARSABLE: "not a molecule",
    "repeats": "repeats itself",
    "many_fragments": "many fragments",
    "truncated": "truncated",
    "inverted": "light on dark",
    "rotated": "turned",
    "more_pages": "more pages",
}


@dataclass(frozen=True, slots=True)
class ResultCard:
    """`smiles` is whole; None where there is an error."""

    chunk: int
    number: int
    image: str
    smiles: str | None
    error: str
    least: Cell
    mean: Cell
    notes: tuple[Cell, ...]  # evidence as the title
    no_molecule: str  # why the SMILES is none by its grammar; "" where it is one


def result_card(row: ResultRow, doubtful_below: float) -> ResultCard:
    result = row.result
    least = min(result.confidences, default=None)
    mean = math.fsum(result.confidences) / len(result.confidences) if result.confidences else None
    return ResultCard(
        chunk=row.chunk,
        number=result.number,
        image=one_line(row.image),
        smiles=None if result.smiles is None else smiles_text(result.smiles),
        error=one_line(result.error or ""),
        least=percent(least, is_low=least is not None and least < doubtful_below),
        mean=percent(mean),
        notes=tuple(Cell(note_words(note.name), "", one_line(note.evidence)) for note in result.notes),
        no_molecule=next((one_line(note.evidence) for note in result.notes if note.name == UNPARSABLE), ""),
    )


def smiles_text(smiles: str) -> str:
    """To be copied: whole, with nothing that turns or hides what stands beside it."""
    text = without_controls(smiles)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"


def note_words(name: str) -> str:
    return _NOTE_WORDS.get(name) or name.replace("_", " ")


def percent(value: float | None, *, is_low: bool = False) -> Cell:
    if value is None:
        return Cell(NOTHING, "n m")
    return Cell(f"{format_number(round(100 * value, 1))} %", f"n {WARN}" if is_low else "n")


@dataclass(frozen=True, slots=True)
class BatchView:
    name: str
    cards: tuple[ResultCard, ...]
    choices: tuple[tuple[str, str], ...]  # of `show`: value and words
    notes: tuple[tuple[str, str], ...]  # value and words
    folders: tuple[tuple[str, str], ...]  # value and words
    more_folders: int  # that are not among these
    next_query: str  # "" on the last page
    next_words: str
    searched: str  # which part of the batch, in words; "" where nothing is left out


def batch_view(found: BatchPage, asked: Asked) -> BatchView:
    return BatchView(
        name=found.batch.name,
        cards=tuple(result_card(row, found.doubtful_below) for row in found.rows),
        choices=tuple(SHOWN.items()),
        notes=tuple((name, note_words(name)) for name in NOTE_NAMES),
        folders=tuple(_folders(found, asked)),
        more_folders=found.folders.count - len(found.folders.first),
        next_query="" if found.after is None else asked.query_from(found.after),
        next_words=_next_words(found),
        searched=_searched(found),
    )


def _searched(found: BatchPage) -> str:
    part = found.searched
    if part is None or (part.before == 0 and part.is_last):
        return ""
    of = f"of {format_number(part.total)}"
    if part.before == 0:
        return f"the first {format_number(part.looked_at)} {of} results"
    return f"results {format_number(part.before + 1)} to {format_number(part.before + part.looked_at)} {of}"


def _next_words(found: BatchPage) -> str:
    is_part_over = found.searched is not None and found.after == found.searched.following
    return "Search the next results" if is_part_over else "Next page"


def _folders(found: BatchPage, asked: Asked) -> Iterator[tuple[str, str]]:
    """Those there are, the one asked for among them whatever it is."""
    shown = {
        folder_word(folder): f"{one_line(folder) or 'the source itself'} ({format_number(count)})"
        for folder, count in found.folders.first
    }
    if asked.folder and asked.folder not in shown:
        yield asked.folder, one_line(asked.folder)
    yield from shown.items()
