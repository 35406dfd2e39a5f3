"""Lists of VMs and jobs for programs: `/api/inventory/<grid>`, where a grid's collector leaves them, and
asks for them; `/api/vms` and `/api/jobs`, what the pages of single ones show. Described in openapi.json.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from flask import Blueprint, Response, request

from cloud_monitor.inventory import LIST_BYTES_MAX
from cloud_monitor.metrics.paths import is_clean
from webapp.errors import RequestRefused
from webapp.inventory.model import RECORD_TYPES, ListSummary, TrackedRecord
from webapp.inventory.query import RecordQuery, read_query, sortable
from webapp.model.snapshot_view import SnapshotView, judge
from webapp.poll.current import current_view
from webapp.serving.answers import json_answer
from webapp.serving.context import current_settings, current_time
from webapp.serving.identity import ProvenUser, audit, bearer_token, fits_any, read_tokens
from webapp.views.api import read_number

log = logging.getLogger(__name__)

inventory = Blueprint("inventory", __name__, url_prefix="/api/inventory")
blueprint = Blueprint("api_lists", __name__, url_prefix="/api")

_LIMIT_DEFAULT, _LIMIT_MAX = 1000, 5000
_FIELDS = {
    record_type: [field.name for field in fields(record_type)] for record_type in RECORD_TYPES.values()
}


@inventory.put("/<grid>")
def put(grid: str) -> Response:
    """204 once the list is kept; nothing of it is kept with any other answer."""
    who = _check(grid)
    from cloud_monitor.system.process import give_back_memory
    from webapp.inventory.payload import ListRefused, ListTooLarge, read_payload
    from webapp.inventory.store import OlderList, store_payload
    from webapp.poll.state_files import note_arrival

    settings = current_settings()
    try:
        payload = read_payload(_read_body())
        with _told_as_503():
            store_payload(
                settings.inventory_folder,
                grid,
                payload,
                now=current_time(),
                keep_gone_s=settings.inventory_keep_gone_s,
                forget_after_s=settings.forget_grid_after_s,
            )
        note_arrival(settings.state_dir, grid, payload.taken_at - current_time())
        counts = (f"{len(found.records)} {name}" for name, found in sorted(payload.lists.items()))
        audit(who, "put", f"lists of {grid}: {', '.join(counts)}")
    except ListTooLarge as large:
        raise RequestRefused(413, "list_too_large", str(large)) from None
    except ListRefused as refused:
        raise RequestRefused(400, "list_refused", str(refused)) from None
    except OlderList as older:
        raise RequestRefused(409, "older_list", str(older)) from None
    finally:
        give_back_memory()
    return Response(status=204, headers={"Cache-Control": "no-store"})


@inventory.get("/<grid>")
def get(grid: str) -> Response:
    """What is kept of the grid: for a collector that checks its settings."""
    _check(grid)
    from webapp.inventory.reader import open_reader

    found: dict[str, int | None] = {"taken_at": None, "vms": 0, "jobs": 0}
    with _told_as_503(), open_reader(current_settings().inventory_folder, grid) as reader:
        if reader is not None:
            found = reader.counts()
    return json_answer(found)


def _check(grid: str) -> ProvenUser:
    """Who asks: a collector, by the token of its grid or by one that is good for any.

    Raises RequestRefused: 404 where no token is set, 401 for another, 400 for what is no grid's name."""
    who = _check_token(grid)
    if not is_clean(grid):
        raise RequestRefused(
            400, "grid_refused", "the grid's name is not one of metric paths: [A-Za-z0-9_-]+"
        )
    return who


def tokens_of(text: bytes, grid: str) -> list[bytes]:
    """The tokens that are good for the grid: of lines `GRID TOKEN`, and of `* TOKEN` for any grid.

    A first line of one word is a token for any grid, too.
    """
    found = []
    for number, line in enumerate(text.splitlines()):
        words = line.split()
        if len(words) == 1 and number == 0:
            found.append(words[0])
        elif len(words) == 2 and words[0] in (b"*", grid.encode("utf-8", "replace")):
            found.append(words[1])
    return found


def _check_token(grid: str) -> ProvenUser:
    file = current_settings().inventory_token_file
    if file is None:
        off = "no lists are taken here: WEBAPP_INVENTORY_TOKEN_FILE is not set"
        raise RequestRefused(404, "inventory_off", off)
    text = read_tokens(file, "WEBAPP_INVENTORY_TOKEN_FILE")
    word, tokens = bearer_token() or b"", tokens_of(text, grid)
    if not fits_any(word, tokens):
        refusal = (
            "the token is not one of WEBAPP_INVENTORY_TOKEN_FILE for this grid (Authorization: Bearer TOKEN)"
        )
        raise RequestRefused(401, "token_refused", refusal)
    is_of_any = fits_any(word, tokens_of(text, ""))
    return ProvenUser(f"collector:{'*' if is_of_any else grid}", "token")


def _read_body() -> bytes:
    from webapp.inventory.payload import PACKED_BYTES_MAX, unpack

    if request.mimetype != "application/json":
        raise RequestRefused(415, "type_refused", "Content-Type: application/json is expected")
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("gzip", "identity"):
        raise RequestRefused(415, "encoding_refused", "Content-Encoding: gzip, or none, is expected")
    is_packed = encoding == "gzip"
    request.max_content_length = PACKED_BYTES_MAX if is_packed else LIST_BYTES_MAX
    body = request.get_data(cache=False)
    return unpack(body) if is_packed else body


@contextmanager
def _told_as_503() -> Iterator[None]:
    from webapp.inventory.database import InventoryFault

    try:
        yield
    except InventoryFault as fault:
        log.error("lists of VMs and jobs: %s", fault)
        raise RequestRefused(503, "cannot_keep", str(fault), retry_after_s=60) from None


@blueprint.get("/vms")
def vms() -> Response:
    return _answer("vms")


@blueprint.get("/jobs")
def jobs() -> Response:
    return _answer("jobs")


def _answer(list_name: str) -> Response:
    """The lists of one grid or of all, as far as `limit` goes."""
    settings = current_settings()
    if settings.inventory_token_file is None:
        text = "no lists of VMs and jobs are kept: WEBAPP_INVENTORY_TOKEN_FILE is not set"
        raise RequestRefused(404, "inventory_off", text)
    from webapp.inventory.database import InventoryFault
    from webapp.inventory.reader import grids_with_lists, open_reader

    query = _read_query(list_name)
    left = read_number("limit", _LIMIT_DEFAULT, 1, _LIMIT_MAX)
    view = current_view()
    names = [
        grid for grid in grids_with_lists(settings.inventory_folder) if grid not in settings.hidden_grids
    ]
    if wanted := request.args.get("grid", ""):
        if wanted not in names:
            raise RequestRefused(404, "grid_unknown", f"no lists have come from a grid {wanted[:100]!r}")
        names = [wanted]
    grids, records = [], []
    try:
        for name in names:
            with open_reader(settings.inventory_folder, name) as reader:
                summary = reader.summary(list_name) if reader else None
                if reader is None or summary is None:
                    continue
                result = reader.find(list_name, query, left)
            grids.append(_describe_grid(name, summary, result.found, view))
            records += [_describe(name, tracked) for tracked in result.records]
            left -= len(result.records)
    except InventoryFault as fault:
        raise RequestRefused(503, "cannot_read", str(fault)) from None
    return json_answer({"as_of": view.as_of, "grids": grids, list_name: records})


def _read_query(list_name: str) -> RecordQuery:
    sort = request.args.get("sort", "").strip()
    if sort and sort.removeprefix("-") not in sortable(list_name):
        known = ", ".join(sorted(sortable(list_name)))
        raise RequestRefused(
            400, "sort_refused", f"sort={sort[:50]!r} is none of {known}, or one with - in front"
        )
    return read_query(request.args, list_name)


def _describe_grid(name: str, summary: ListSummary, found: int, view: SnapshotView) -> dict[str, Any]:
    return {
        "grid": name,
        "taken_at": summary.taken_at,
        "freshness": judge(1.0, summary.taken_at, view.as_of, view.stale_after_s),
        "listed": summary.listed,
        "total": summary.total,
        "is_cut": summary.is_cut,
        "found": found,
    }


def _describe(grid: str, tracked: TrackedRecord) -> dict[str, Any]:
    return {
        "grid": grid,
        "key": tracked.key,
        **{name: getattr(tracked.record, name) for name in _FIELDS[type(tracked.record)]},
        "status": tracked.status,
        "last_status": tracked.record.status,
        "since": tracked.since,
        "first_seen_at": tracked.first_seen_at,
        "gone_at": tracked.gone_at,
        "changes": [change._asdict() for change in tracked.changes],
    }
