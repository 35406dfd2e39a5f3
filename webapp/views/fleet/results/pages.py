"""Pages of results, read from the queue: `/fleet/batches/<name>`, all of a batch, the least sure first;
`/fleet/results/<chunk>/<number>`, one of them; `/fleet/failed`, those that failed, by why; `/fleet/chunks`,
the life of a batch's chunks.

Kept by nobody, and not sent again where they are as the browser has them.
"""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, request

from webapp.errors import RequestRefused
from webapp.model.snapshot_view import SnapshotView
from webapp.poll.current import current_view
from webapp.views.fleet.reach import NO_BATCH, NO_RESULT, queue_address, read_or_refuse
from webapp.views.fleet.results.pictures import picture_links
from webapp.views.fleet.results.review_marks import REVIEW_CHOICES
from webapp.views.fleet.results.reviewing import given_verdicts, reviewing_of
from webapp.views.render import Values, edition_of, show_page

batches = Blueprint("fleet_batches", __name__)
results = Blueprint("fleet_results", __name__)
failed = Blueprint("fleet_failed", __name__)
chunks = Blueprint("fleet_chunks", __name__)

_RESULTS, _CHUNKS = 60, 50  # on one page
_BEFORE = 8  # results of the list that a way back to it shows before this one


@batches.get("/fleet/batches/<path:name>", endpoint="show")
def show_batch(name: str) -> Response:
    url = queue_address()
    from webapp.views.batches.reading import shown_asked  # SQLAlchemy: only where it is asked for
    from webapp.views.fleet.reading import read_queue_figures
    from webapp.views.fleet.results.asked import read_asked
    from webapp.views.fleet.results.batch_head import batch_head, forecast_of
    from webapp.views.fleet.results.gallery import batch_view
    from worker.queue.statistics.batches import forecast
    from worker.review import GROUP_LABEL, read_batch_page

    asked = read_asked(request.args)
    verdicts = given_verdicts()
    read = partial(read_batch_page, url, name, asked.chosen, asked.after, _RESULTS, verdicts=verdicts)
    found = read_or_refuse(read, "no_such_batch", NO_BATCH)
    times = read_or_refuse(lambda: forecast(read_queue_figures(url)), "no_such_batch", NO_BATCH)
    page, reviewing = batch_view(found, asked), reviewing_of(found.rows, name)
    head = batch_head(found, forecast_of(times, found.batch), current_view())
    wishes = shown_asked(found.batch)
    links = picture_links()

    def values(view: SnapshotView) -> Values:
        here = asked.query_from(asked.after)
        found = {"page": page, "head": head, "asked": asked, "wishes": wishes, "reviewing": reviewing}
        return {
            **found,
            "query_string": here,
            "picture_of": links,
            "reviews": REVIEW_CHOICES,
            "group_label": GROUP_LABEL,
        }

    edition = edition_of(page, head, wishes, reviewing)
    return show_page(
        "fleet", "batch_body.html", values, page="batch.html", heading=page.name, edition=edition
    )


@results.get("/fleet/results/<int:chunk>/<int:number>", endpoint="show")
def show_result(chunk: int, number: int) -> Response:
    url = queue_address()
    from webapp.views.fleet.results.asked import read_asked  # SQLAlchemy: only where it is asked for
    from webapp.views.fleet.results.result_page import result_view
    from worker.review import GROUP_LABEL, read_result_page

    asked = read_asked(request.args)
    verdicts = given_verdicts()
    read = partial(read_result_page, url, chunk, number, asked.chosen, _BEFORE, verdicts=verdicts)
    found = read_or_refuse(read, "no_such_result", NO_RESULT)
    page, reviewing = result_view(found, asked), reviewing_of([found.row])
    links = picture_links()

    def values(view: SnapshotView) -> Values:
        return {
            "page": page,
            "asked": asked,
            "query_string": asked.query_string,
            "picture_of": links,
            "group_label": GROUP_LABEL,
            "reviewing": reviewing,
        }

    edition = edition_of(page, reviewing)
    return show_page(
        "fleet", "result_body.html", values, page="result.html", heading=page.card.image, edition=edition
    )


@failed.get("/fleet/failed", endpoint="show")
def show_failed() -> Response:
    url = queue_address()
    from webapp.views.fleet.reading import read_queue_figures  # SQLAlchemy: only where it is asked for
    from webapp.views.fleet.results.failed_page import failed_view, read_wanted
    from worker.review import read_failed_page

    wanted = read_wanted(request.args)
    read = partial(read_failed_page, url, wanted.chosen, wanted.after, _RESULTS)
    found = read_or_refuse(read, "no_such_batch", NO_BATCH)
    figures = read_or_refuse(partial(read_queue_figures, url), "no_such_batch", NO_BATCH)
    page = failed_view(found, figures, wanted)

    def values(view: SnapshotView) -> Values:
        return {"page": page, "query_string": page.query_string}

    edition = edition_of(page)
    return show_page("fleet", "failed_body.html", values, heading="Failed pictures", edition=edition)


@chunks.get("/fleet/chunks", endpoint="show")
def show_chunks() -> Response:
    url = queue_address()
    from webapp.views.fleet.reading import read_queue_figures  # SQLAlchemy: only where it is asked for
    from webapp.views.fleet.results.chunks_page import chunks_view, read_choice
    from worker.review.chunks import read_chunks_page

    choice = read_choice(request.args)
    if not choice.batch:
        raise RequestRefused(400, "batch_missing", "batch must name a batch")
    read = partial(read_chunks_page, url, choice.batch, choice.state, choice.after, _CHUNKS)
    found = read_or_refuse(read, "no_such_batch", NO_BATCH)
    hold = read_or_refuse(partial(read_queue_figures, url), "no_such_batch", NO_BATCH).hold
    page = chunks_view(found, choice, "" if hold is None else hold.text)

    def values(view: SnapshotView) -> Values:
        return {"page": page, "query_string": page.query_string}

    edition = edition_of(page)
    return show_page("fleet", "chunks_body.html", values, heading=f"Chunks of {page.batch}", edition=edition)
