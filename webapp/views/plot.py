"""`/plot`: a page for nothing but a plot; what it shows is in the address and drawn by the browser."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.model.snapshot_view import SnapshotView
from webapp.views.render import Values, show_page

blueprint = Blueprint("plot", __name__)


@blueprint.get("/plot")
def show() -> Response:
    return show_page("plot", "plot_body.html", _values, heading="Plot")


def _values(view: SnapshotView) -> Values:
    return {}
