"""The queue database of the worker fleet, read only: what is wrong in it, and its figures as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from statistics import fmean
from typing import TypeVar

from cloud_monitor.system.text import format_number
from webapp.model.fleet_queue import FleetQueue, FleetQueueBatch, FleetQueueHost
from webapp.model.health import Finding, HealthRules, Level
from webapp.model.judge import judge_queue
from webapp.pages.cells import BAD, NOTHING, WARN, Cell, day_and_time
from webapp.pages.details import QueueView
from webapp.pages.tables import Column, Row, Table, words
from webapp.views.fleet.page import FleetOverview, fleet_overview
from webapp.views.fleet.reading import read_queue_figures
from webapp.views.fleet.words import coarse_span
from worker.queue.statistics.batches import forecast
from worker.queue.statistics.queue import (
    BatchFigures,
    ChunkFigures,
    DecisionFigures,
    QueueError,
    QueueFigures,
    ResultRow,
)

Entry = TypeVar("Entry")

_TEXT = "t"  # the class of a cell that holds words


def read_queue(url: str, rules: HealthRules) -> tuple[QueueView, FleetOverview | None]:
    """What is wrong with the queue, and the page made of it; of one that cannot be read only the first."""
    try:
        figures = read_queue_figures(url)
    except QueueError as error:
        unread = Finding(Level.STALE, f"its figures cannot be read: {error}", ("queue",))
        return QueueView((), (unread,), is_read=False), None
    findings = tuple(judge_queue(_state(figures), rules))
    results = _rows(
        "Latest results", "At, UTC", _RESULT, figures.latest, lambda row: day_and_time(row.stored_at)
    )
    tables = tuple(table for table in _tables(figures) if not table.is_empty)
    return QueueView((), findings, is_read=True), fleet_overview(figures, findings, results, tables)


def _state(figures: QueueFigures) -> FleetQueue:
    hosts = (
        FleetQueueHost(
            name=host.name,
            silent_s=None if host.alive else figures.at - host.seen_at,
            workers=host.workers,
            held=next(iter(host.held), ""),
        )
        for host in figures.hosts
    )
    times = forecast(figures)
    batches = (
        FleetQueueBatch(
            name=batch.name,
            failed=batch.chunks["failed"],
            missed=batch.missed,
            late_s=max(0.0, (times[batch.name].ready_at or 0.0) - (batch.deadline or inf)),
        )
        for batch in figures.batches
    )
    chunks, deadlines = figures.chunks, figures.deadlines
    hold = figures.hold.text if figures.hold is not None else ""
    missed = deadlines.get("missed", 0)
    return FleetQueue(chunks.get("failed", 0), missed, tuple(hosts), hold, tuple(batches))


def _tables(figures: QueueFigures) -> Iterable[Table]:
    """For operators, who know chunks."""
    yield _listed("Queue", _summary(figures))
    yield _rows("Batches by chunks", "Batch", _BATCH, figures.batches, lambda batch: batch.name)
    yield _rows("Active chunks", "Chunk", _chunks(figures.at), figures.active, lambda chunk: chunk.name)
    yield _rows("Chunks given up", "Chunk", _DEAD, figures.dead, lambda chunk: chunk.name)
    yield _rows(
        "Decisions", "Host", _decisions(figures.at), figures.decisions, lambda decision: decision.host
    )
    yield _rows(
        "Events of the queue",
        "At, UTC",
        {"What": lambda event: _words(event.kind), "Host": lambda event: _words(event.host),
         "Message": lambda event: _words(event.message)},
        figures.events,
        lambda event: day_and_time(event.at),
    )  # fmt: skip


def _summary(figures: QueueFigures) -> dict[str, Cell]:
    def span(seconds: float | None) -> Cell:
        return Cell(NOTHING, "m") if seconds is None else Cell(coarse_span(seconds) if seconds else "0 s")

    def rate(value: float | None) -> Cell:
        return Cell(NOTHING, "m") if value is None else Cell(format_number(round(value, 3)))

    return {
        **{f"Chunks {state}": _count(count) for state, count in figures.chunks.items()},
        "Chunks paused": _count(figures.paused),
        **{f"Images {state}": _count(count) for state, count in figures.images.items()},
        "Images a second": rate(figures.images_per_s),
        "Done in": span(figures.eta_s),
        "Oldest waiting chunk": span(figures.oldest_pending_s),
        "Next deadline in": span(
            None if figures.next_deadline is None else figures.next_deadline - figures.at
        ),
        **{
            f"Deadlines {name}": _count(count, WARN if name == "missed" else "")
            for name, count in figures.deadlines.items()
        },
        "Cost of 1000 images": rate(figures.cost_per_1000_images),
    }


_BATCH: dict[str, Callable[[BatchFigures], Cell]] = {
    "Priority": lambda batch: _count(batch.priority),
    "Chunks": lambda batch: _count(sum(batch.chunks.values())),
    "Done": lambda batch: _count(batch.chunks["done"]),
    "Given up": lambda batch: _count(batch.chunks["failed"], BAD),
    "Met": lambda batch: _count(batch.met),
    "Missed": lambda batch: _count(batch.missed, WARN),
    "CPU": lambda batch: Cell(coarse_span(batch.cpu_s) if batch.cpu_s else NOTHING),
    "State": lambda batch: _words("paused" if batch.paused else ""),
    "Only for model": lambda batch: _words(batch.model or ""),
    "Source": lambda batch: _words(batch.source, batch.source),
}
_DEAD: dict[str, Callable[[ChunkFigures], Cell]] = {
    "Number": lambda chunk: Cell(str(chunk.id)),
    "Batch": lambda chunk: _words(chunk.batch),
    "Attempts": lambda chunk: _count(chunk.attempt),
    "Images": lambda chunk: _count(chunk.images_total),
    "Error": lambda chunk: _words(chunk.error or ""),
}
# Texts are cut by the width of their column: whole when hovered over
_RESULT: dict[str, Callable[[ResultRow], Cell]] = {
    "Image": lambda row: _words(row.image, row.image),
    "SMILES": lambda row: _words(row.result.smiles or "", row.result.smiles or ""),
    "Mean, %": lambda row: _confidence(row.result.confidences, fmean),
    "Least, %": lambda row: _confidence(row.result.confidences, min),
    "Error": lambda row: _words(row.result.error or ("truncated" if row.result.truncated else "")),
    "Batch": lambda row: _words(row.batch),
    "Host": lambda row: _words(row.host),
    "Worker": lambda row: _words(row.worker),
}


def _confidence(values: Sequence[float], of: Callable[[Sequence[float]], float]) -> Cell:
    """Of the tokens, in percent."""
    return Cell(format_number(round(100 * of(values), 1))) if values else Cell(NOTHING, "m")


def _chunks(at: float) -> dict[str, Callable[[ChunkFigures], Cell]]:
    return {
        "Number": lambda chunk: Cell(str(chunk.id)),
        "Batch": lambda chunk: _words(chunk.batch),
        "Host": lambda chunk: _words(chunk.host or ""),
        "Done": lambda chunk: _count(chunk.images_done),
        "Images": lambda chunk: _count(chunk.images_total),
        "Attempt": lambda chunk: _count(chunk.attempt),
        "For": lambda chunk: Cell("" if chunk.started_at is None else coarse_span(at - chunk.started_at)),
    }


def _decisions(at: float) -> dict[str, Callable[[DecisionFigures], Cell]]:
    return {
        "On": lambda decision: _words(decision.subject),
        "Admitted": lambda decision: _words("yes" if decision.admitted else "no"),
        "Times": lambda decision: _count(decision.times),
        "Ago": lambda decision: Cell(coarse_span(at - decision.last_at)),
        "Why": lambda decision: _words(_why(decision)),
    }


def _why(decision: DecisionFigures) -> str:
    return decision.text or decision.reason


def _count(value: float, tone: str = "") -> Cell:
    return Cell(format_number(value), tone if value else "z")


def _words(text: str, title: str = "") -> Cell:
    return Cell(text, _TEXT, title)


def _listed(caption: str, cells: dict[str, Cell]) -> Table:
    rows = tuple(Row(words(name), (cell,)) for name, cell in cells.items())
    return Table(caption, "Figure", (Column("Now"),), rows)


def _rows(
    caption: str,
    heading: str,
    columns: dict[str, Callable[[Entry], Cell]],
    entries: Iterable[Entry],
    name: Callable[[Entry], str],
) -> Table:
    rows = (Row(name(entry), tuple(make(entry) for make in columns.values())) for entry in entries)
    return Table(caption, heading, tuple(Column(label) for label in columns), tuple(rows))
