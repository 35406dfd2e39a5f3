"""`/fleet/failed`: the pictures that failed, of all batches or of one, by why."""

from __future__ import annotations

from functools import partial
from hashlib import sha256

from flask import Blueprint, Response, request

from webapp.model.snapshot_view import SnapshotView
from webapp.views.fleet.reach import NO_BATCH, queue_address, read_or_refuse
from webapp.views.fleet.results.batch import ROWS
from webapp.views.render import Values, show_page

blueprint = Blueprint("fleet_failed", __name__)


@blueprint.get("/fleet/failed")
def show() -> Response:
    """Kept by nobody, and not sent again where it is as the browser has it."""
    url = queue_address()
    from webapp.views.fleet.reading import read_queue_figures
    from webapp.views.fleet.results.failed_page import (  # SQLAlchemy: only where asked for
        failed_view,
        read_wanted,
    )
    from worker.review import read_failed_page

    wanted = read_wanted(request.args)
    read = partial(read_failed_page, url, wanted.chosen, wanted.after, ROWS)
    found = read_or_refuse(read, "no_such_batch", NO_BATCH)
    figures = read_or_refuse(partial(read_queue_figures, url), "no_such_batch", NO_BATCH)
    page = failed_view(found, figures, wanted)

    def values(view: SnapshotView) -> Values:
        return {"page": page, "query_string": page.query_string}

    edition = sha256(repr(page).encode("utf-8", "replace")).hexdigest()[:16]
    return show_page("fleet", "failed_body.html", values, heading="Failed pictures", edition=edition)
