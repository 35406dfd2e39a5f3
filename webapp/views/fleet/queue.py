"""The queue database of the worker fleet, read only: its figures as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import TypeVar

from cloud_monitor.system.text import age_text, format_number
from webapp.model.health import Finding, HealthRules, Level
from webapp.model.judge import FleetQueue, FleetQueueHost, judge_queue
from webapp.pages.cells import BAD, NOTHING, WARN, Cell
from webapp.pages.details import QueueView
from webapp.pages.tables import Column, Row, Table, words
from worker.queue.statistics import (
    BatchFigures,
    ChunkFigures,
    DecisionFigures,
    HostFigures,
    QueueError,
    QueueFigures,
    ResultRow,
    read_figures,
)

Entry = TypeVar("Entry")

_LAST = 20  # events, decisions, dead letters, results
_TEXT = "t"  # the class of a cell that holds words


def read_queue(url: str, rules: HealthRules) -> QueueView:
    """The queue's tables and what is wrong with it; of one that cannot be read only that."""
    try:
        figures = read_figures(url, last=_LAST, latest=_LAST)
    except QueueError as error:
        unread = Finding(Level.STALE, f"its figures cannot be read: {error}", ("queue",))
        return QueueView((), (unread,), is_read=False)
    tables = tuple(table for table in _tables(figures) if not table.is_empty)
    return QueueView(tables, tuple(judge_queue(_state(figures), rules)), is_read=True)


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
    chunks, deadlines = figures.chunks, figures.deadlines
    hold = figures.hold.text if figures.hold is not None else ""
    return FleetQueue(chunks.get("failed", 0), deadlines.get("missed", 0), tuple(hosts), hold)


def _tables(figures: QueueFigures) -> Iterable[Table]:
    yield _listed("Queue", _summary(figures))
    yield _rows("Batches", "Batch", _batches(figures.at), figures.batches, lambda batch: batch.name)
    yield _rows("Latest results", "At, UTC", _RESULT, figures.latest, lambda row: _clock(row.stored_at))
    yield _rows("Hosts of the queue", "Host", _hosts(figures.at), figures.hosts, lambda host: host.name)
    yield _rows("Active chunks", "Chunk", _chunks(figures.at), figures.active, lambda chunk: chunk.name)
    yield _rows("Dead letter", "Chunk", _DEAD, figures.dead, lambda chunk: chunk.name)
    yield _listed(
        "Failed images by error", {error: _count(count, WARN) for error, count in figures.failures.items()}
    )
    yield _rows(
        "Decisions", "Host", _decisions(figures.at), figures.decisions, lambda decision: decision.host
    )
    yield _rows(
        "Events of the queue",
        "At, UTC",
        {"What": lambda event: _words(event.kind), "Host": lambda event: _words(event.host),
         "Message": lambda event: _words(event.message)},
        figures.events,
        lambda event: _clock(event.at),
    )  # fmt: skip


def _summary(figures: QueueFigures) -> dict[str, Cell]:
    def span(seconds: float | None) -> Cell:
        return Cell(NOTHING, "m") if seconds is None else Cell(age_text(seconds))

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


def _batches(at: float) -> dict[str, Callable[[BatchFigures], Cell]]:
    return {
        "Priority": lambda batch: _count(batch.priority),
        "Deadline": lambda batch: _deadline(batch, at),
        "Chunks": lambda batch: _count(sum(batch.chunks.values())),
        "Done": lambda batch: _count(batch.chunks["done"]),
        "Failed": lambda batch: _count(batch.chunks["failed"], BAD),
        "Met": lambda batch: _count(batch.met),
        "Missed": lambda batch: _count(batch.missed, WARN),
        "Images": lambda batch: _count(sum(batch.images.values())),
        "Recognised": lambda batch: _count(batch.images["done"]),
        "Errors": lambda batch: _count(batch.images["failed"], WARN),
        "State": lambda batch: _words("paused" if batch.paused else ""),
        "Only for model": lambda batch: _words(batch.model or ""),
    }


def _deadline(batch: BatchFigures, at: float) -> Cell:
    """Counted down; one that passed alarms while there is work left."""
    if batch.deadline is None:
        return Cell(NOTHING, "m")
    left_s = batch.deadline - at
    if left_s > 0:
        return Cell(f"in {age_text(left_s)}", title=_clock(batch.deadline))
    is_late = batch.chunks["pending"] + batch.chunks["active"] > 0
    return Cell(f"{age_text(-left_s)} ago", BAD if is_late else "", _clock(batch.deadline))


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


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d %b %H:%M:%S")


def _hosts(at: float) -> dict[str, Callable[[HostFigures], Cell]]:
    return {
        "Seen": lambda host: Cell(age_text(at - host.seen_at), "" if host.alive else BAD),
        "Workers": lambda host: _count(host.workers),
        "CPU, %": lambda host: _count(round(host.cpu_pct)),
        "Memory, %": lambda host: _count(round(host.memory_pct)),
        "Temporary, MB": lambda host: _count(round(host.temp_bytes / 1e6)),
        "Last decision": lambda host: _words(_why(host.decisions[0]) if host.decisions else ""),
    }


def _chunks(at: float) -> dict[str, Callable[[ChunkFigures], Cell]]:
    return {
        "Number": lambda chunk: Cell(str(chunk.id)),
        "Batch": lambda chunk: _words(chunk.batch),
        "Host": lambda chunk: _words(chunk.host or ""),
        "Done": lambda chunk: _count(chunk.images_done),
        "Images": lambda chunk: _count(chunk.images_total),
        "Attempt": lambda chunk: _count(chunk.attempt),
        "For": lambda chunk: Cell("" if chunk.started_at is None else age_text(at - chunk.started_at)),
    }


def _decisions(at: float) -> dict[str, Callable[[DecisionFigures], Cell]]:
    return {
        "On": lambda decision: _words(decision.subject),
        "Admitted": lambda decision: _words("yes" if decision.admitted else "no"),
        "Times": lambda decision: _count(decision.times),
        "Ago": lambda decision: Cell(age_text(at - decision.last_at)),
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
