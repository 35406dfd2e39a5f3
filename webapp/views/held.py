"""`/held`: held jobs of every grid by reason, and how that changed since yesterday."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, url_for

from webapp.model.snapshot_view import SnapshotView
from webapp.pages.across import held_sections
from webapp.serving.context import current_settings
from webapp.views.render import Values, health_of, show_page

blueprint = Blueprint("held", __name__)


@blueprint.get("/held")
def show() -> Response:
    return show_page("held", "across_body.html", _values, heading="Held jobs")


def _values(view: SnapshotView) -> Values:
    sections = held_sections(health_of(view), lambda grid: url_for("grid.show", grid=grid))
    if current_settings().inventory_token_file is not None:
        sections = tuple(
            replace(section, list_link=url_for("lists.jobs", grid=section.grid, status="held"))
            for section in sections
        )
    return {"title": "Held jobs", "sections": sections, "with_change": True}
