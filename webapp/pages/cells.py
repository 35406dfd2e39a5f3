"""Cells: a value as the page shows it, and a page as its frame and the cells that fill it, so that a
refresh can send the cells alone. Pure.

A template calls `td` and `live` where a value goes; each leaves a gap in the text and keeps its cell. What is
left is the frame: as long as it stays the same (its `layout`), the cells in their order are all that is new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from cloud_monitor.system.text import format_number
from webapp.model.snapshot_view import Freshness, SnapshotView
from webapp.model.tree import Value

NOTHING = "–"
# Class names are single letters: a page has ten thousand cells.
_CLASSES = {Freshness.FRESH: "", Freshness.ZERO: "z", Freshness.STALE: "s", Freshness.MISSING: "m"}
WARN, BAD = "w", "b"
_GAP = "\0"  # cannot come from a name: HTML has no place for it, and neither have metric paths


class Cell(NamedTuple):
    """`css` is the classes that give its look, `title` what hovering says; `path` only where the page cannot
    derive it.
    """

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


@dataclass(frozen=True, slots=True)
class FilledBody:
    """A rendered page body. `cells` are in the order of the elements marked `td` or `data-c` in `html`."""

    html: Markup
    layout: str
    cells: list[Cell]

    @property
    def refresh(self) -> list[str | list[str]]:
        """The cells as the browser's refresh reads them: text, or text, class, and title where it has one."""
        return [
            [cell.text, cell.css, cell.title]
            if cell.title
            else [cell.text, cell.css]
            if cell.css
            else cell.text
            for cell in self.cells
        ]


@dataclass(slots=True)
class LiveCells:
    """The two functions a template writes its values with."""

    cells: list[Cell] = field(default_factory=list)
    _filling: list[str] = field(default_factory=list)

    def td(self, cell: Cell) -> Markup:
        """A table cell."""
        attributes = _attributes(cell)
        self._keep(cell, f"<td{attributes}>{escape(cell.text)}")
        return Markup(_GAP)

    def live(self, tag: str, cell: Cell, css: str = "") -> Markup:
        """Any other element; `css` is the classes it always has."""
        cell = cell._replace(css=f"{css} {cell.css}".strip())
        self._keep(cell, f"<{tag} data-c{_attributes(cell)}>{escape(cell.text)}</{tag}>")
        return Markup(_GAP)

    def _keep(self, cell: Cell, html: str) -> None:
        self.cells.append(cell)
        self._filling.append(html)

    def fill(self, frame: str) -> FilledBody:
        parts = frame.split(_GAP)
        if len(parts) != len(self._filling) + 1:
            raise ValueError(f"{len(self._filling)} cells were made, {len(parts) - 1} are in the page")
        filled = [parts[0]]
        for html, part in zip(self._filling, parts[1:], strict=True):
            filled += (html, part)
        layout = sha256(frame.encode()).hexdigest()[:12]
        return FilledBody(Markup("".join(filled)), layout, self.cells)


def _attributes(cell: Cell) -> str:
    css = f' class="{cell.css}"' if " " in cell.css else f" class={cell.css}" if cell.css else ""
    title = f' title="{escape(cell.title)}"' if cell.title else ""
    path = f' data-path="{escape(cell.path)}"' if cell.path else ""
    return css + title + path


def render_body(render: Callable[..., str], template: str, **values: Any) -> FilledBody:
    """Render a template of a page's body, which writes its values by `td` and `live`."""
    cells = LiveCells()
    return cells.fill(render(template, td=cells.td, live=cells.live, **values))
