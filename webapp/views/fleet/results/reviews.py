"""`/api/reviews`: what people said of answers, and how well confidence tells it; see openapi.json."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud_monitor.reviews import CORRECTED, SMILES_MAX, Review, write_line
from cloud_monitor.system.text import one_line, without_controls
from webapp.errors import RequestRefused
from webapp.reviews import (
    KeptReview,
    ReviewedMeanwhile,
    ReviewsFull,
    ReviewsRead,
    ReviewStore,
    open_reviews,
)
from webapp.serving.answers import json_answer
from webapp.serving.context import current_settings, current_time
from webapp.serving.identity import ProvenUser, audit, identify, read_change_as
from webapp.views.fleet.reach import NO_RESULT, queue_address, read_or_refuse, reviews_unreadable
from webapp.views.fleet.results.review_marks import is_reviewable
from webapp.views.fleet.results.reviewing import forget_agreements, read_agreement_of

if TYPE_CHECKING:
    from worker.review import ResultRow

blueprint = Blueprint("api_reviews", __name__, url_prefix="/api")

TOGETHER_MAX = 50  # reviews of one request
_ID_MAX = 2**31 - 1


class NewReview(BaseModel):
    """`replaces` is the number of the review that was there when this was decided on, null where there was
    none: then no review that somebody gave meanwhile is passed over.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    chunk: int = Field(ge=0, le=_ID_MAX)
    number: int = Field(ge=0, le=_ID_MAX)
    smiles: str = Field(min_length=1, max_length=SMILES_MAX)
    verdict: Literal["right", "wrong", "corrected"]
    corrected_smiles: Annotated[str | None, Field(max_length=SMILES_MAX)] = None
    replaces: Annotated[int | None, Field(ge=0)] = None

    @model_validator(mode="after")
    def _correction_goes_with_its_verdict(self) -> NewReview:
        given = self.corrected_smiles
        if (self.verdict == CORRECTED) != (given is not None):
            raise ValueError("corrected_smiles: goes with the verdict `corrected`, and with no other")
        if given is not None:
            if not given.strip() or not given.isprintable():
                raise ValueError("corrected_smiles: is no line of text")
            if given.strip() == self.smiles:
                raise ValueError("corrected_smiles: is the SMILES that was read; then it is right")
        return self


class NewReviews(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    reviews: list[NewReview] = Field(min_length=1, max_length=TOGETHER_MAX)


@blueprint.get("/reviews")
def list_reviews() -> Response:
    """JSON lines, streamed; one that breaks off ends without the end of its transfer."""
    pieces = ReviewsRead(current_settings().state_dir).pieces()
    try:
        first = next(pieces, [])
    except sqlite3.Error as error:
        raise reviews_unreadable(error) from None

    def lines() -> Iterator[str]:
        piece = first
        while piece:
            yield "".join(write_line(kept.review) for kept in piece)
            piece = next(pieces, [])

    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": 'attachment; filename="cloud_monitor_reviews.jsonl"',
    }
    return Response(lines(), content_type="application/jsonl", headers=headers)


@blueprint.post("/reviews")
def review() -> Response:
    """All of them or none."""
    who, now = identify(), current_time()
    asked = read_change_as(NewReviews).reviews
    answers = _read_answers([(one.chunk, one.number) for one in asked])
    reviews = [(one, _review_of(one, answers.get((one.chunk, one.number)), who, now)) for one in asked]
    settings = current_settings()
    try:
        with open_reviews(settings.state_dir) as store:
            kept = [_keep(store, one, given, settings.reviews_max) for one, given in reviews]
    except (OSError, sqlite3.Error) as error:
        raise _cannot_keep(error) from None
    forget_agreements()
    for one in kept:
        audit(who, "reviewed", _told(one.review))
    return json_answer({"reviews": [describe(one) for one in kept]}, 201)


@blueprint.delete("/reviews/<int:number>")
def take_back(number: int) -> Response:
    """What was said before it, if anything, counts again."""
    who = identify()
    try:
        with open_reviews(current_settings().state_dir) as store:
            found = store.take_back(number) if number <= 2**63 - 1 else None
    except ReviewedMeanwhile as meanwhile:
        raise _meanwhile(meanwhile.newest) from None
    except (OSError, sqlite3.Error) as error:
        raise _cannot_keep(error) from None
    if found is None:
        raise RequestRefused(404, "review_unknown", f"there is no review {number}")
    forget_agreements()
    taken, before = found
    audit(who, "took back", f"review {number}: {_told(taken.review)}")
    return json_answer({"review": None if before is None else describe(before)})


@blueprint.get("/batches/<path:name>/agreement")
def agreement(name: str) -> Response:
    """How many of a batch's reviewed answers were right, by band of least confidence."""
    found = read_agreement_of(name)
    return json_answer({"batch": name, "bands": [asdict(band) for band in found]})


def describe(kept: KeptReview) -> dict[str, Any]:
    return {"number": kept.number, **kept.review._asdict()}


def _read_answers(pairs: list[tuple[int, int]]) -> Mapping[tuple[int, int], ResultRow]:
    url = queue_address()
    from worker.review import read_answers  # SQLAlchemy: only where it is asked for

    return read_or_refuse(partial(read_answers, url, pairs), "result_unknown", NO_RESULT)


def _review_of(asked: NewReview, row: ResultRow | None, who: ProvenUser, now: float) -> Review:
    """Raises RequestRefused: 404; 409 where another answer is there than the one that was looked at."""
    if row is None:
        text = f"there is no result {asked.number} of chunk {asked.chunk}"
        raise RequestRefused(404, "result_unknown", text)
    smiles = row.result.smiles or ""
    if not is_reviewable(row):
        raise RequestRefused(409, "no_answer", f"{one_line(row.image)} has no answer that can be reviewed")
    if without_controls(asked.smiles) != without_controls(smiles):  # as pages show it
        text = f"{one_line(row.image)} has been read again, with another answer: look at it once more"
        raise RequestRefused(409, "answer_changed", text)
    corrected = None if asked.corrected_smiles is None else asked.corrected_smiles.strip()
    return Review(row.image_hash, smiles, asked.verdict, corrected, who.name, now)


def _keep(store: ReviewStore, asked: NewReview, review: Review, reviews_max: int) -> KeptReview:
    if "replaces" in asked.model_fields_set:
        newest = store.newest_of(review.image_hash, review.smiles)
        if asked.replaces != (None if newest is None else newest.number):
            raise _meanwhile(newest)
    try:
        return store.add(review, reviews_max)
    except ReviewsFull:
        text = f"{reviews_max:,} reviews are kept, as many as WEBAPP_REVIEWS_MAX allows"
        raise RequestRefused(507, "reviews_full", text) from None


def _meanwhile(newest: KeptReview | None) -> RequestRefused:
    if newest is None:
        return RequestRefused(409, "reviewed_meanwhile", "the review was taken back meanwhile")
    by, verdict = newest.review.reviewer, newest.review.verdict
    return RequestRefused(409, "reviewed_meanwhile", f"{by} reviewed it meanwhile: {verdict}")


def _cannot_keep(error: Exception) -> RequestRefused:
    return RequestRefused(503, "cannot_keep", f"it cannot be kept: {error}", retry_after_s=60)


def _told(review: Review) -> str:
    corrected = f", it is {review.corrected_smiles}" if review.corrected_smiles else ""
    return f"{review.image_hash[:12]} {review.smiles[:200]}: {review.verdict}{corrected}"
