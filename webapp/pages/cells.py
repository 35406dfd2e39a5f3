"""A value as the page shows it: text, classes that give its look, what hovering over it says. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from cloud_monitor.system.text import format_number
from webapp.model.freshness import Freshness
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Value

NOTHING = "–"
# Class names are single letters: a page has ten thousand cells.
_CLASSES = {Freshness.FRESH: "", Freshness.ZERO: "z", Freshness.STALE: "s", Freshness.MISSING: "m"}
WARN, BAD = "w", "b"


class Cell(NamedTuple):
    """`css` is its classes, `title` what hovering says; `path` only where the page cannot derive it."""

    text: str
    css: str = ""
    title: str = ""
    path: str = ""


def day_and_time(at: float) -> str:
    """In UTC, of what happened within the year: `28 Nov 21:33:14`."""
    return datetime.fromtimestamp(at, UTC).strftime("%d %b %H:%M:%S")


def show(value: Value | None, view: SnapshotView, *, tone: str = "", path: bool = False) -> Cell:
    """The cell of a value. `tone` (WARN, BAD) colours what is fresh and not zero; `path` writes it out."""
    if value is None:
        return Cell(NOTHING, "m")
    freshness = view.freshness(value)
    css = _CLASSES[freshness] or (tone if freshness is Freshness.FRESH else "")
    text = NOTHING if freshness is Freshness.MISSING or value.value is None else format_number(value.value)
    title = f"{view.age(value)} old" if freshness is Freshness.STALE else ""
    return Cell(text, css, title, value.path if path else "")
