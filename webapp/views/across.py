"""`/held`, `/waiting`, `/users`: held jobs, waiting times, users of every grid on one page."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, url_for

from webapp.model.snapshot_view import SnapshotView
from webapp.pages.status import held_sections, user_sections, waiting_sections
from webapp.serving.context import current_settings
from webapp.views.render import Values, health_of, show_page

held = Blueprint("held", __name__)
waiting = Blueprint("waiting", __name__)
users = Blueprint("users", __name__)


@held.get("/held", endpoint="show")
def show_held() -> Response:
    """Held jobs by reason, and how that changed since yesterday."""

    def values(view: SnapshotView) -> Values:
        sections = held_sections(health_of(view), _address)
        if current_settings().inventory_token_file is not None:
            sections = tuple(
                replace(section, list_link=url_for("lists.jobs", grid=section.grid, status="held"))
                for section in sections
            )
        return {"title": "Held jobs", "sections": sections, "with_change": True}

    return show_page("held", "across_body.html", values, heading="Held jobs")


@waiting.get("/waiting", endpoint="show")
def show_waiting() -> Response:
    """How long idle jobs have been waiting."""

    def values(view: SnapshotView) -> Values:
        sections = waiting_sections(health_of(view), _address)
        return {"title": "Waiting", "sections": sections, "with_change": False}

    return show_page("waiting", "across_body.html", values, heading="Waiting")


@users.get("/users", endpoint="show")
def show_users() -> Response:
    """Jobs by user and accounting group."""

    def values(view: SnapshotView) -> Values:
        sections = user_sections(health_of(view), _address)
        return {"title": "Users", "sections": sections, "with_change": False}

    return show_page("users", "across_body.html", values, heading="Users")


def _address(grid: str) -> str:
    return url_for("grid.show", grid=grid)
