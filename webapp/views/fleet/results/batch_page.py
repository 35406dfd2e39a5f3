"""What `/fleet/batches/<name>` shows: its results as cards, and what chooses among them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cloud_monitor.system.text import format_number, one_line
from webapp.views.fleet.results.asked import SHOWN, Asked, folder_word
from webapp.views.fleet.results.cards import ResultCard, note_words, result_card
from worker.review import NOTE_NAMES, BatchPage


@dataclass(frozen=True, slots=True)
class BatchView:
    name: str
    cards: tuple[ResultCard, ...]
    choices: tuple[tuple[str, str], ...]  # of `show`: value and words
    notes: tuple[tuple[str, str], ...]  # value and words
    folders: tuple[tuple[str, str], ...]  # value and words
    more_folders: int  # that are not among these
    next_query: str  # "" on the last page


def batch_view(found: BatchPage, asked: Asked) -> BatchView:
    return BatchView(
        name=found.batch.name,
        cards=tuple(result_card(row, found.doubtful_below) for row in found.rows),
        choices=tuple(SHOWN.items()),
        notes=tuple((name, note_words(name)) for name in NOTE_NAMES),
        folders=tuple(_folders(found, asked)),
        more_folders=found.folders.count - len(found.folders.first),
        next_query="" if found.after is None else asked.query_from(found.after),
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
