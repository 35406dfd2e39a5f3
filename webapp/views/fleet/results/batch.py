"""`/fleet/batches/<name>`: a batch and its results, the least sure first, chosen by what the address says."""

from __future__ import annotations

from functools import partial
from hashlib import sha256

from flask import Blueprint, Response, request

from webapp.model.snapshot_view import SnapshotView
from webapp.poll.current import current_view
from webapp.views.fleet.reach import NO_BATCH, queue_address, read_or_refuse
from webapp.views.fleet.results.picture_links import picture_links
from webapp.views.fleet.results.review_marks import REVIEW_CHOICES
from webapp.views.fleet.results.reviewing import given_verdicts, reviewing_of
from webapp.views.render import Values, show_page

blueprint = Blueprint("fleet_batches", __name__)

ROWS = 60  # on one page


@blueprint.get("/fleet/batches/<path:name>")
def show(name: str) -> Response:
    """Kept by nobody, and not sent again where it is as the browser has it."""
    url = queue_address()
    from webapp.views.batches.reading import shown_asked  # SQLAlchemy: only where it is asked for
    from webapp.views.fleet.reading import read_queue_figures
    from webapp.views.fleet.results.asked import read_asked
    from webapp.views.fleet.results.batch_facts import batch_head, forecast_of
    from webapp.views.fleet.results.batch_page import batch_view
    from worker.queue.statistics.batches import forecast
    from worker.review import read_batch_page

    asked = read_asked(request.args)
    verdicts = given_verdicts()
    read = partial(read_batch_page, url, name, asked.chosen, asked.after, ROWS, verdicts=verdicts)
    found = read_or_refuse(read, "no_such_batch", NO_BATCH)
    times = read_or_refuse(lambda: forecast(read_queue_figures(url)), "no_such_batch", NO_BATCH)
    page, reviewing = batch_view(found, asked), reviewing_of(found.rows, name)
    head = batch_head(found, forecast_of(times, found.batch), current_view())
    wishes = shown_asked(found.batch)
    links = picture_links()

    def values(view: SnapshotView) -> Values:
        here = asked.query_from(asked.after)
        found = {"page": page, "head": head, "asked": asked, "wishes": wishes, "reviewing": reviewing}
        return {**found, "query_string": here, "picture_of": links, "reviews": REVIEW_CHOICES}

    edition = sha256(repr((page, head, wishes, reviewing)).encode("utf-8", "replace")).hexdigest()[:16]
    return show_page(
        "fleet", "batch_body.html", values, page="batch.html", heading=page.name, edition=edition
    )
