"""`/api/results`: what the pages of single results show, for programs. Described in openapi.json."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, request

from webapp.errors import RequestRefused
from webapp.serving.answers import json_answer
from webapp.views.api import read_number
from webapp.views.fleet.reach import NO_BATCH, NO_RESULT, queue_address, read_or_refuse
from webapp.views.fleet.results.reviewing import given_verdicts

blueprint = Blueprint("api_results", __name__, url_prefix="/api")

_LIMIT_DEFAULT, _LIMIT_MAX = 60, 1000


@blueprint.get("/results")
def results() -> Response:
    """Of one batch, chosen and in the order of its page; `next` is the `after` of the next page."""
    url = queue_address()
    from webapp.views.fleet.results.asked import (  # SQLAlchemy: only where it is asked for
        after_text,
        read_asked,
    )
    from webapp.views.fleet.results.described import describe, describe_search
    from worker.review import read_results_of

    if not (name := request.args.get("batch", "")):
        raise RequestRefused(400, "batch_missing", "batch must name a batch")
    asked = read_asked(request.args)
    limit = read_number("limit", _LIMIT_DEFAULT, 1, _LIMIT_MAX)
    read = partial(
        read_results_of, url, name.replace("\0", ""), asked.chosen, asked.after, limit, given_verdicts()
    )
    rows, after, searched = read_or_refuse(read, "no_such_batch", NO_BATCH)
    found = {
        "batch": name,
        "results": [describe(row) for row in rows],
        "next": None if after is None else after_text(after),
        "searched": None if searched is None else describe_search(searched),
    }
    return json_answer(found)


@blueprint.get("/results/<int:chunk>/<int:number>")
def result(chunk: int, number: int) -> Response:
    """With its tokens, and its neighbours in the list that the address chooses."""
    url = queue_address()
    from webapp.views.fleet.results.asked import read_asked
    from webapp.views.fleet.results.described import describe_whole
    from worker.review import read_result_page

    asked = read_asked(request.args)
    read = partial(read_result_page, url, chunk, number, asked.chosen, 1, given_verdicts())
    return json_answer(describe_whole(read_or_refuse(read, "no_such_result", NO_RESULT)))
