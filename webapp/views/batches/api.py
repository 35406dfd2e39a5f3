"""`/api/batches`: the batches there are, and wishes of people, which a supervisor carries out. Described in
openapi.json.

A request may name a key of its own (`Idempotency-Key`): sent again with it, nothing is asked for twice.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict

from webapp.errors import RequestRefused
from webapp.serving.answers import json_answer
from webapp.serving.identity import ProvenUser, audit, identify, read_change_as
from webapp.views import wishing
from webapp.views.fleet.reach import queue_address

if TYPE_CHECKING:
    from worker.queue.batch_wishes.wishes import BatchWish, BatchWishKind
    from worker.queue.statistics.batch_wishes import AskedOfBatches

blueprint = Blueprint("api_batches", __name__, url_prefix="/api")

OPEN_MAX = 100  # wishes that wait, whoever asked


class NothingMore(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class BatchRequest(NothingMore):
    name: str
    source: str
    priority: int | None = None
    deadline: int | float | str | None = None


class RetryRequest(NothingMore):
    failed_images: bool = False


class DeadlineRequest(NothingMore):
    deadline: int | float | str | None


@blueprint.get("/batches")
def batches() -> Response:
    queue_address()
    from webapp.views.batches.reading import read_batches
    from webapp.views.batches.shown import describe_batches  # SQLAlchemy: only where there is a queue

    return json_answer(describe_batches(*read_batches()))


@blueprint.post("/batches")
def submit() -> Response:
    who = identify()
    asked = read_change_as(BatchRequest)
    details = asked.model_dump(exclude={"name"}, exclude_none=True)
    return _ask(who, "submit", asked.name, details)


@blueprint.post("/batches/<name>/pause")
def pause(name: str) -> Response:
    return _ask_plain("pause", name)


@blueprint.post("/batches/<name>/resume")
def resume(name: str) -> Response:
    return _ask_plain("resume", name)


@blueprint.post("/batches/<name>/cancel")
def cancel(name: str) -> Response:
    return _ask_plain("cancel", name)


@blueprint.post("/batches/<name>/retry")
def retry(name: str) -> Response:
    who = identify()
    return _ask(who, "retry", name, read_change_as(RetryRequest).model_dump(exclude_defaults=True))


@blueprint.post("/batches/<name>/deadline")
def change_deadline(name: str) -> Response:
    who = identify()
    return _ask(who, "deadline", name, read_change_as(DeadlineRequest).model_dump())


@blueprint.get("/batch-wishes/<int:number>")
def wish(number: int) -> Response:
    queue_address()
    from webapp.views.batches.reading import find
    from webapp.views.batches.shown import describe_wish

    found = find(number) if number < 2**31 else None
    if found is None:
        raise RequestRefused(404, "wish_unknown", f"there is no wish {number}, or it is long at its end")
    return json_answer({"wish": describe_wish(*found)})


@blueprint.get("/submit-sources")
def sources() -> Response:
    """Only for who is known: the names of folders and containers say much."""
    identify()
    queue_address()
    from webapp.views.batches.reading import read_asked_now

    found = read_asked_now()
    prefixes = sorted({prefix for prefixes in found.sources.values() for prefix in prefixes})
    return json_answer({"sources": prefixes, "supervisors": len(found.sources)})


def _ask_plain(kind: BatchWishKind, name: str) -> Response:
    who = identify()
    read_change_as(NothingMore)
    return _ask(who, kind, name, {})


def _ask(who: ProvenUser, kind: BatchWishKind, name: str, details: dict[str, Any]) -> Response:
    """202: a supervisor carries it out; 200 where the same was asked for before with the same key."""
    wishing.check_on("batches")
    from webapp.views.batches.reading import find, forget
    from webapp.views.batches.shown import describe_wish
    from worker.queue.batch_wishes.wishes import BatchWish, QueueError, check_batch_wish, write_batch_wish

    key = request.headers.get("Idempotency-Key")
    asked = BatchWish(kind, name, who.name, details, key, asked_at=time.time())
    try:
        check_batch_wish(asked)
    except QueueError as error:
        raise RequestRefused(400, "body_refused", str(error)) from None
    others = _others()
    if key is not None and (before := find(None, who.name, key)) is not None:
        return json_answer({"wish": describe_wish(*_same(before, asked))})
    _check_batch(asked, others)
    number = wishing.write(lambda url, patience_s: write_batch_wish(url, asked, patience_s))
    forget()
    found = find(number, who.name, key or "")
    if number is None:  # another request with the key was faster
        if found is None:
            raise RequestRefused(503, "cannot_read", "the first wish of that key cannot be read", 10)
        return json_answer({"wish": describe_wish(*_same(found, asked))})
    audit(who, "asked for", f"{kind} {name} {json.dumps(details)} (wish {number})")
    described = describe_wish(*(found or (asked, "asked for"))) | {"id": number}
    return json_answer({"wish": described}, 202)


def _same(before: tuple[BatchWish, str], asked: BatchWish) -> tuple[BatchWish, str]:
    """Raises RequestRefused (422) where the key was of another request."""
    first = before[0]
    if (first.kind, first.batch, first.details) != (asked.kind, asked.batch, asked.details):
        text = f"this Idempotency-Key was of {first.kind} {first.batch}: choose another for another request"
        raise RequestRefused(422, "key_reused", text)
    return before


def _others() -> AskedOfBatches:
    """What is asked for at this moment. Raises RequestRefused: 409 of an older queue, 429, 503."""
    from webapp.views.batches import reading

    reading.forget()
    found = reading.read_asked_now()
    if sum(one.done_at is None for one in found.wishes) >= OPEN_MAX:
        text = f"{OPEN_MAX} wishes wait already: a supervisor has to carry them out first"
        raise RequestRefused(429, "too_many_wishes", text, retry_after_s=60)
    return found


def _check_batch(asked: BatchWish, others: AskedOfBatches) -> None:
    """Raises RequestRefused: 409 for a name that is taken, with how it stands; 404 for one that is not."""
    from webapp.views.batches.reading import look_up_batch
    from webapp.views.batches.shown import open_submission, state_text

    batch, waiting = look_up_batch(asked.batch), open_submission(others, asked.batch)
    if asked.kind == "submit":
        if batch is not None:
            raise RequestRefused(
                409, "batch_exists", f"there is a batch {batch.name} already: {state_text(batch)}"
            )
        if waiting is not None:
            raise RequestRefused(409, "batch_exists", f"{asked.batch} was submitted already: {waiting}")
    elif batch is None and (waiting is None or asked.kind != "cancel"):
        text = f"there is no batch {asked.batch!r}" + (", its submission waits" if waiting else "")
        raise RequestRefused(404, "batch_unknown", text)
