"""`/waiting`: how long idle jobs of every grid have been waiting."""

from __future__ import annotations

from flask import Blueprint, Response, url_for

from webapp.model.snapshot_view import SnapshotView
from webapp.pages.across import waiting_sections
from webapp.views.render import Values, health_of, show_page

blueprint = Blueprint("waiting", __name__)


@blueprint.get("/waiting")
def show() -> Response:
    return show_page("waiting", "across_body.html", _values, heading="Waiting")


def _values(view: SnapshotView) -> Values:
    sections = waiting_sections(health_of(view), lambda grid: url_for("grid.show", grid=grid))
    return {"title": "Waiting", "sections": sections, "with_change": False}
