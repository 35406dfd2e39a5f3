"""The cells of lists of VMs and jobs: words, ages, statuses. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from cloud_monitor.inventory import IN_TROUBLE
from cloud_monitor.system.text import age_text, format_number
from webapp.inventory.model import GONE, UNLISTED, ListSummary, TrackedRecord
from webapp.model.snapshot_view import Freshness, SnapshotView, judge
from webapp.pages.cells import BAD, Cell
from webapp.pages.tables import words

WORDS = "t"  # the class of a cell that holds words
AGE = "t since"  # and of one that grows by itself
LEAVING = {GONE: "gone", UNLISTED: "no longer listed"}


def is_stale(summary: ListSummary, view: SnapshotView) -> bool:
    """By the rule for every figure."""
    freshness = judge(1.0, summary.taken_at, view.as_of, view.stale_after_s)
    return freshness is not Freshness.FRESH


def age_cell(summary: ListSummary, view: SnapshotView) -> Cell:
    """How old a list is."""
    text = f"As of {age_text(view.as_of - summary.taken_at)} ago"
    return Cell(text, "since s" if is_stale(summary, view) else "since", utc(summary.taken_at))


def since(at: int | None, view: SnapshotView) -> Cell:
    """How long ago it was; empty where that is not known."""
    return Cell("") if at is None else Cell(age_text(view.as_of - at), AGE, utc(at))


def text(value: str, tone: str = "", title: str = "") -> Cell:
    return Cell(value, f"{WORDS} {tone}".strip(), title)


def number(value: int | None) -> Cell:
    return Cell("") if value is None else Cell(format_number(value), "" if value else "z")


def status_cell(tracked: TrackedRecord, view: SnapshotView, *more: str) -> Cell:
    """The status and what is to be added to it; of what is gone, since when, and what it was last."""
    if tracked.gone_at is not None:
        ago = f"{LEAVING.get(tracked.status, tracked.status)} for {age_text(view.as_of - tracked.gone_at)}"
        return text(f"{ago}, was {words(tracked.record.status).lower()}", "z since")
    shown = ", ".join([words(tracked.record.status).lower(), *more])
    return text(shown, BAD if tracked.record.status in IN_TROUBLE else "")


def utc(at: int, view: SnapshotView | None = None) -> str:
    """Day and time; seen at a moment the year is left out where it is clear."""
    shown = datetime.fromtimestamp(at, UTC)
    if view is not None and abs(view.as_of - at) < 300 * 86400:
        return shown.strftime("%-d %b %H:%M:%S")
    return shown.strftime("%-d %b %Y %H:%M:%S UTC")
