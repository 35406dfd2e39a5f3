"""`/fleet/batches/<name>`: a batch and its results, the least sure first, chosen by what the address says."""

from __future__ import annotations

from hashlib import sha256

from flask import Blueprint, Response, request

from webapp.errors import RequestRefused
from webapp.model.snapshot_view import SnapshotView
from webapp.serving.context import current_settings
from webapp.views.render import Values, show_page

blueprint = Blueprint("fleet_batches", __name__)

ROWS = 60  # on one page
OFF = (
    "batches are not shown: WEBAPP_FLEET_DATABASE_URL is not set; name there the queue database of the "
    "worker fleet, with a role that may only read"
)


@blueprint.get("/fleet/batches/<path:name>")
def show(name: str) -> Response:
    """Kept by nobody, and not sent again where it is as the browser has it."""
    url = current_settings().fleet_database_url
    if url is None:
        raise RequestRefused(404, "fleet_off", OFF)
    from webapp.views.fleet.batch_page import batch_view, read_asked  # SQLAlchemy: only where it is asked for
    from worker.review import DOUBTFUL_BELOW, QueueError, read_batch_page

    asked = read_asked(request.args)
    try:
        found = read_batch_page(url, name, asked.chosen, asked.after, ROWS, DOUBTFUL_BELOW)
    except QueueError as error:
        raise RequestRefused(503, "cannot_read", str(error), retry_after_s=10) from None
    if found is None:
        raise RequestRefused(404, "no_such_batch", "There is no such batch; /fleet shows those there are.")
    page = batch_view(found, asked)

    def values(view: SnapshotView) -> Values:
        return {"page": page, "asked": asked, "query_string": asked.query_string}

    edition = sha256(repr(page).encode("utf-8", "replace")).hexdigest()[:16]
    return show_page(
        "fleet", "batch_body.html", values, page="batch.html", heading=page.name, edition=edition
    )
