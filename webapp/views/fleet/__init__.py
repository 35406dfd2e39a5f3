"""`/fleet`: the worker fleet as Graphite knows it, and as its queue database does where that may be read."""

from __future__ import annotations

from flask import Blueprint, Response, url_for

from webapp.model.snapshot_view import SnapshotView
from webapp.pages.details import fleet_page
from webapp.serving.context import current_settings
from webapp.views.render import Values, health_of, show_page

blueprint = Blueprint("fleet", __name__)


@blueprint.get("/fleet")
def show() -> Response:
    return show_page("fleet", "detail_body.html", _values, heading="Fleet")


def _values(view: SnapshotView) -> Values:
    """The queue is asked at most once a minute, with little patience."""
    url, queue = current_settings().fleet_database_url, None
    health = health_of(view, with_since=True)
    if url is not None:
        from webapp.views.fleet.queue import read_queue  # SQLAlchemy: only where there is a queue to read

        queue = read_queue(url, health.rules)
    return {"page": fleet_page(health, url_for, queue)}
