"""`/fleet`: the worker fleet, as Graphite knows it."""

from __future__ import annotations

from flask import Blueprint, Response, url_for

from webapp.moment import Moment
from webapp.pages.details import fleet_page
from webapp.views.render import Values, judge_of, show_page

blueprint = Blueprint("fleet", __name__)


@blueprint.get("/fleet")
def show() -> Response:
    return show_page("fleet", "detail_body.html", _values, heading="Fleet")


def _values(moment: Moment) -> Values:
    return {"page": fleet_page(judge_of(moment), url_for)}
