"""Batches and what was asked of them within the hour: as lines of `/fleet` and of a batch's page, in
sentences, and as `/api/batches` gives them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloud_monitor.system.text import format_number, one_line
from webapp.pages.cells import WARN, Cell, day_and_time
from webapp.views.fleet.words import clock_minute
from webapp.views.wishing import MayAsk
from worker.queue.batch_wishes.wishes import BatchWish
from worker.queue.statistics.batch_wishes import AskedOfBatches
from worker.queue.statistics.batches import forecast, left_of
from worker.queue.statistics.queue import BatchFigures, QueueFigures

_SAID_MAX = 400
_WORDS = {"deadline": "change the deadline of"}


@dataclass(frozen=True, slots=True)
class AskedLine:
    at: str
    by: Cell
    what: Cell
    state: Cell
    batch: str
    can_be_cancelled: bool


@dataclass(frozen=True, slots=True)
class AskedView:
    """`acts`: what a batch's own page offers, by the API's names with words."""

    may: MayAsk
    lines: tuple[AskedLine, ...] = ()
    acts: tuple[tuple[str, str], ...] = ()


def asked_view(found: AskedOfBatches, may: MayAsk, batch: BatchFigures | None = None) -> AskedView:
    """Of one batch, or of all."""
    wishes = (wish for wish in found.wishes if batch is None or batch.name == wish.batch)
    acts = () if batch is None else tuple(_acts(batch))
    return AskedView(may, tuple(_line(found, wish) for wish in wishes), acts)


def _acts(batch: BatchFigures) -> Iterator[tuple[str, str]]:
    is_open = bool(left_of(batch))
    if batch.paused:
        yield "resume", "Resume"
    elif is_open:
        yield "pause", "Pause"
    if is_open:
        yield "deadline", "Deadline"
        yield "cancel", "Cancel"
    if batch.images["failed"] or batch.images["cancelled"]:
        yield "retry", "Retry"


def _line(found: AskedOfBatches, wish: BatchWish) -> AskedLine:
    state, tone = found.state_of(wish), WARN if wish.is_refused or (wish.faults and not wish.outcome) else ""
    if wish.done_at is not None and not wish.is_refused:
        state = f"carried out {day_and_time(wish.done_at)}: {state}"
    return AskedLine(
        at=day_and_time(wish.asked_at),
        by=Cell(one_line(wish.asked_by)),
        what=Cell(one_line(_what(wish), _SAID_MAX)),
        state=Cell(one_line(state, _SAID_MAX), tone),
        batch=wish.batch,
        can_be_cancelled=wish.kind == "submit" and wish.done_at is None,
    )


def _what(wish: BatchWish) -> str:
    said = f"{_WORDS.get(wish.kind, wish.kind)} {wish.batch}"
    if wish.kind == "submit":
        said += f" from {wish.source}"
    details = {name: value for name, value in wish.details.items() if name != "source"}
    if wish.kind in ("submit", "deadline") and "deadline" in details:
        details.pop("deadline")
        due = wish.deadline
        said += ", without a deadline" if due is None else f", due {clock_minute(due, wish.asked_at)}"
    if "priority" in details:
        said += f", priority {details['priority']}"
    return said + (" with failed pictures" if details.get("failed_images") else "")


def open_submission(found: AskedOfBatches, name: str) -> str | None:
    """How it stands and who asked; None where none is open."""
    for wish in found.wishes:
        if wish.kind == "submit" and wish.done_at is None and wish.batch == name:
            return f"asked for by {wish.asked_by} (wish {wish.id}), {found.state_of(wish)}"
    return None


def state_text(batch: BatchFigures) -> str:
    images = batch.images
    parts = [f"{format_number(sum(images.values()))} pictures", f"{format_number(images['done'])} read"]
    parts += [f"{format_number(images[name])} {name}" for name in ("failed", "cancelled") if images[name]]
    return f"{', '.join(parts)}{', paused' if batch.paused else ''}, from {batch.source}"


def describe_batches(figures: QueueFigures, asked: AskedOfBatches | None) -> dict[str, Any]:
    times = forecast(figures)
    return {
        "as_of": figures.at,
        "is_held": figures.hold is not None,
        "batches": [
            {
                "name": batch.name,
                "source": batch.source,
                "priority": batch.priority,
                "deadline": batch.deadline,
                "is_paused": batch.paused,
                "submitted_at": batch.created_at,
                "ended_at": batch.ended_at,
                "ready_at": times[batch.name].ready_at,
                "images": dict(batch.images),
                "chunks": dict(batch.chunks),
                "doubtful": batch.doubtful,
            }
            for batch in figures.batches
        ],
        "wishes": []
        if asked is None
        else [describe_wish(wish, asked.state_of(wish)) for wish in asked.wishes],
    }


def describe_wish(wish: BatchWish, state: str) -> dict[str, Any]:
    return {
        "id": wish.id,
        "kind": wish.kind,
        "batch": wish.batch,
        "details": dict(wish.details),
        "asked_by": wish.asked_by,
        "asked_at": wish.asked_at,
        "done_at": wish.done_at,
        "outcome": wish.outcome,
        "state": state,
        "is_open": wish.done_at is None,
        "is_refused": wish.is_refused,
    }
