"""`/fleet/chunks?batch=NAME`: the life of a batch's chunks, for who wants to know why one takes so long."""

from __future__ import annotations

from functools import partial
from hashlib import sha256

from flask import Blueprint, Response, request

from webapp.errors import RequestRefused
from webapp.model.snapshot_view import SnapshotView
from webapp.views.fleet.reach import NO_BATCH, queue_address, read_or_refuse
from webapp.views.render import Values, show_page

blueprint = Blueprint("fleet_chunks", __name__)

ROWS = 50  # on one page


@blueprint.get("/fleet/chunks")
def show() -> Response:
    """Kept by nobody, and not sent again where it is as the browser has it."""
    url = queue_address()
    from webapp.views.fleet.reading import read_queue_figures
    from webapp.views.fleet.results.chunks_page import (  # SQLAlchemy: only where asked for
        chunks_view,
        read_choice,
    )
    from worker.review.chunks import read_chunks_page

    choice = read_choice(request.args)
    if not choice.batch:
        raise RequestRefused(400, "batch_missing", "batch must name a batch")
    read = partial(read_chunks_page, url, choice.batch, choice.state, choice.after, ROWS)
    found = read_or_refuse(read, "no_such_batch", NO_BATCH)
    hold = read_or_refuse(partial(read_queue_figures, url), "no_such_batch", NO_BATCH).hold
    page = chunks_view(found, choice, "" if hold is None else hold.text)

    def values(view: SnapshotView) -> Values:
        return {"page": page, "query_string": page.query_string}

    edition = sha256(repr(page).encode("utf-8", "replace")).hexdigest()[:16]
    return show_page("fleet", "chunks_body.html", values, heading=f"Chunks of {page.batch}", edition=edition)
