"""`/`: every grid at a glance."""

from __future__ import annotations

from flask import Blueprint, Response, url_for

from webapp.model.snapshot_view import SnapshotView
from webapp.pages.status import status_page
from webapp.serving.context import current_settings
from webapp.views.render import Values, health_of, show_page

blueprint = Blueprint("status", __name__)


@blueprint.get("/")
def show() -> Response:
    return show_page("status", "status_body.html", _values, page="status.html", with_events=True)


def _values(view: SnapshotView) -> Values:
    return {"page": status_page(health_of(view, with_since=True), current_settings().columns, url_for)}
