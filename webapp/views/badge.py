"""`/badge/<grid>.svg`: a grid's state as a small picture for other pages."""

from __future__ import annotations

from flask import Blueprint, Response
from markupsafe import escape

from webapp.errors import RequestRefused
from webapp.model.snapshot_view import SnapshotView
from webapp.poll.current import current_view
from webapp.serving.context import current_settings
from webapp.serving.page_cache import cached_response
from webapp.views.render import health_of

blueprint = Blueprint("badge", __name__)

_COLOURS = {"ok": "#1a7f37", "warn": "#9a6700", "stale": "#57606a", "bad": "#b3261e"}
_LETTER_PX = 7


@blueprint.get("/badge/<grid>.svg")
def show(grid: str) -> Response:
    if all(known.name != grid for known in current_view().snapshot.grids):
        raise RequestRefused(404, "no_such_grid", "no grid of that name is shown")
    return cached_response(lambda view: _draw(grid, view), content_type="image/svg+xml")


def _draw(name: str, view: SnapshotView) -> str:
    grid = next((grid for grid in view.snapshot.grids if grid.name == name), None)
    finding = health_of(view).grid(grid) if grid is not None else None
    word, kind = (finding.level.word, finding.level.kind) if finding is not None else ("gone", "stale")
    return draw_badge(current_settings().grid_names.get(name, name), word, _COLOURS[kind])


def draw_badge(label: str, word: str, colour: str) -> str:
    """An SVG of two fields. Only attributes, no style: the strict policy of other pages may forbid that."""
    left, right = (len(text) * _LETTER_PX + 12 for text in (label, word))
    width = left + right
    texts = "".join(
        f'<text x="{x}" y="14" fill="#fff" font-family="DejaVu Sans,Verdana,sans-serif" font-size="11" '
        f'text-anchor="middle" textLength="{len(text) * _LETTER_PX}">{escape(text)}</text>'
        for x, text in ((left / 2, label), (left + right / 2, word))
    )
    title = f"{escape(label)}: {escape(word)}"
    fields = (
        f'<rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" '
        f'aria-label="{title}"><title>{title}</title>{fields}{texts}</svg>'
    )
