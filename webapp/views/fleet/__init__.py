"""`/fleet`: the worker fleet as Graphite knows it, and as its queue database does where that may be read."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, url_for

from webapp.model.health import worst
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.details import DetailPage, fleet_page
from webapp.serving.context import current_settings
from webapp.views.render import Values, health_of, show_page

blueprint = Blueprint("fleet", __name__)


@blueprint.get("/fleet")
def show() -> Response:
    return show_page("fleet", "detail_body.html", _values, heading="Fleet")


def _values(view: SnapshotView) -> Values:
    page = fleet_page(health_of(view, with_since=True), url_for)
    url = current_settings().fleet_database_url
    return {"page": page if url is None else _with_queue(page, url)}


def _with_queue(page: DetailPage, url: str) -> DetailPage:
    """The page with what the queue says in front; asked at most once a minute, with little patience."""
    from webapp.views.fleet.queue import read_queue  # SQLAlchemy: only where there is a queue to read

    tables, findings = read_queue(url)
    findings = (*findings, *page.findings)
    return replace(page, tables=(*tables, *page.tables), findings=findings, finding=worst(findings))
