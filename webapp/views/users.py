"""`/users`: jobs by user and accounting group of every grid."""

from __future__ import annotations

from flask import Blueprint, Response, url_for

from webapp.model.snapshot_view import SnapshotView
from webapp.pages.across import user_sections
from webapp.views.render import Values, health_of, show_page

blueprint = Blueprint("users", __name__)


@blueprint.get("/users")
def show() -> Response:
    return show_page("users", "across_body.html", _values, heading="Users")


def _values(view: SnapshotView) -> Values:
    sections = user_sections(health_of(view), lambda grid: url_for("grid.show", grid=grid))
    return {"title": "Users", "sections": sections, "with_change": False}
