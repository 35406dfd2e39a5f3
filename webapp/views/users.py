"""`/users`: jobs by user and accounting group of every grid."""

from __future__ import annotations

from flask import Blueprint, Response, url_for

from webapp.pages.across import user_sections
from webapp.poll.current import Moment
from webapp.views.render import Values, judge_of, show_page

blueprint = Blueprint("users", __name__)


@blueprint.get("/users")
def show() -> Response:
    return show_page("users", "across_body.html", _values, heading="Users")


def _values(moment: Moment) -> Values:
    sections = user_sections(judge_of(moment), lambda grid: url_for("grid.show", grid=grid))
    return {"title": "Users", "sections": sections, "with_change": False}
