"""`/fleet/results/<chunk>/<number>`: one result, with its neighbours in the list that the address says."""

from __future__ import annotations

from functools import partial
from hashlib import sha256

from flask import Blueprint, Response, request

from webapp.model.snapshot_view import SnapshotView
from webapp.views.fleet.reach import NO_RESULT, queue_address, read_or_refuse
from webapp.views.fleet.results.picture_links import picture_links
from webapp.views.fleet.results.reviewing import given_verdicts, reviewing_of
from webapp.views.render import Values, show_page

blueprint = Blueprint("fleet_results", __name__)

BEFORE = 8  # results of the list that a way back to it shows before this one


@blueprint.get("/fleet/results/<int:chunk>/<int:number>")
def show(chunk: int, number: int) -> Response:
    """Kept by nobody, and not sent again where it is as the browser has it."""
    url = queue_address()
    from webapp.views.fleet.results.asked import read_asked  # SQLAlchemy: only where it is asked for
    from webapp.views.fleet.results.result_page import result_view
    from worker.review import read_result_page

    asked = read_asked(request.args)
    verdicts = given_verdicts()
    read = partial(read_result_page, url, chunk, number, asked.chosen, BEFORE, verdicts=verdicts)
    found = read_or_refuse(read, "no_such_result", NO_RESULT)
    page, reviewing = result_view(found, asked), reviewing_of([found.row])
    links = picture_links()

    def values(view: SnapshotView) -> Values:
        return {
            "page": page,
            "asked": asked,
            "query_string": asked.query_string,
            "picture_of": links,
            "reviewing": reviewing,
        }

    edition = sha256(repr((page, reviewing)).encode("utf-8", "replace")).hexdigest()[:16]
    return show_page(
        "fleet", "result_body.html", values, page="result.html", heading=page.card.image, edition=edition
    )
