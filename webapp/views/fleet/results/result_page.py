"""What `/fleet/results/<chunk>/<number>` shows: the answer token by token, its notes, who read it. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from cloud_monitor.system.text import format_number, one_line, without_controls
from webapp.pages.cells import Cell, day_and_time
from webapp.views.fleet.results.asked import Asked
from webapp.views.fleet.results.gallery import ResultCard, note_words, percent, result_card
from worker.review import ResultPage, ResultRow, band_of

TOKENS_MAX = 2_000  # the model writes 302
_LEAST_SURE = 5  # tokens named below the answer
_LOOKS = ("c0", "c5", "c6", "c7", "c8", "c9")  # of a token, by the band that its confidence is in


@dataclass(frozen=True, slots=True)
class ResultFact:
    label: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class ResultNote:
    words: str
    evidence: str


@dataclass(frozen=True, slots=True)
class ResultView:
    """`tokens` are text, class of confidence and title; none where the list is not kept."""

    card: ResultCard
    batch: str
    tokens: tuple[tuple[str, str, str], ...]
    tokens_left: int  # that are not shown
    least_sure: tuple[str, ...]
    notes: tuple[ResultNote, ...]
    facts: tuple[ResultFact, ...]
    previous: tuple[int, int] | None  # chunk and number
    following: tuple[int, int] | None
    list_query: str  # of the batch's page with this result on it


def result_view(found: ResultPage, asked: Asked) -> ResultView:
    result = found.row.result
    is_kept = len(result.tokens) == len(result.confidences)
    pairs = list(zip(result.tokens, result.confidences, strict=True)) if is_kept else []
    return ResultView(
        card=result_card(found.row, found.doubtful_below),
        batch=found.row.batch,
        tokens=tuple(_token(*pair) for pair in pairs[:TOKENS_MAX]),
        tokens_left=max(0, len(pairs) - TOKENS_MAX),
        least_sure=tuple(_least_sure(pairs)),
        notes=tuple(ResultNote(note_words(note.name), one_line(note.evidence)) for note in result.notes),
        facts=tuple(ResultFact(label, cell) for label, cell in _facts(found.row, found)),
        previous=found.previous,
        following=found.following,
        list_query=asked.query_from(found.list_after),
    )


def _token(token: str, confidence: float) -> tuple[str, str, str]:
    return without_controls(token), _LOOKS[band_of(confidence)], percent(confidence).text


def _least_sure(pairs: list[tuple[str, float]]) -> Iterator[str]:
    for token, confidence in heapq.nsmallest(_LEAST_SURE, pairs, key=lambda pair: pair[1]):
        yield f"{one_line(token, 40)} {percent(confidence).text}"


def _facts(row: ResultRow, found: ResultPage) -> Iterator[tuple[str, Cell]]:
    card = result_card(row, found.doubtful_below)
    if row.result.smiles is not None:
        yield "Least sure", card.least
        yield "Mean confidence", card.mean
        yield "Tokens", Cell(format_number(len(row.result.confidences)))
    yield "Batch", Cell(one_line(row.batch))
    yield "Chunk", Cell(f"{row.chunk}, number {row.result.number}")
    yield "Try", Cell(str(found.attempt), "", "Which claim of its chunk read it")
    yield "Machine", Cell(one_line(row.host))
    yield "Worker", Cell(one_line(row.worker))
    yield "Engine", Cell(one_line(row.engine))
    yield "Model", Cell(one_line(row.model))
    yield "Precision", Cell(one_line(row.result.precision))
    yield "Claimed, UTC", Cell(day_and_time(found.claimed_at))
    yield "Stored, UTC", Cell(day_and_time(row.stored_at))
