"""A value as the page shows it: text, classes that give its look, what hovering over it says. Pure."""

from __future__ import annotations

from typing import NamedTuple

from webapp.model.freshness import Freshness
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Value

NOTHING = "–"
_THIN_SPACE = " "  # narrow and unbreakable, between thousands
# Class names are single letters: a page has ten thousand cells.
_CLASSES = {Freshness.FRESH: "", Freshness.ZERO: "z", Freshness.STALE: "s", Freshness.MISSING: "m"}
WARN, BAD = "w", "b"


class Cell(NamedTuple):
    """`css` is its classes, `title` what hovering says; `path` only where the page cannot derive it."""

    text: str
    css: str = ""
    title: str = ""
    path: str = ""


def format_number(value: float) -> str:
    """Integers in full, with thin spaces between thousands; other numbers with about three figures."""
    if value == int(value):
        return f"{int(value):,}".replace(",", _THIN_SPACE)
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    rounded = f"{value:,.{digits}f}"
    shortened = rounded.rstrip("0").rstrip(".") if "." in rounded else rounded
    return shortened.replace(",", _THIN_SPACE)


def show(value: Value | None, view: SnapshotView, *, tone: str = "", path: bool = False) -> Cell:
    """The cell of a value. `tone` (WARN, BAD) colours what is fresh and not zero; `path` writes it out."""
    if value is None:
        return Cell(NOTHING, "m")
    freshness = view.freshness(value)
    css = _CLASSES[freshness] or (tone if freshness is Freshness.FRESH else "")
    text = NOTHING if freshness is Freshness.MISSING or value.value is None else format_number(value.value)
    title = f"{view.age(value)} old" if freshness is Freshness.STALE else ""
    return Cell(text, css, title, value.path if path else "")


def is_fresh(value: Value | None, view: SnapshotView) -> bool:
    """Whether a value may be judged: it holds now, be it zero or not."""
    return value is not None and view.freshness(value) in (Freshness.FRESH, Freshness.ZERO)
