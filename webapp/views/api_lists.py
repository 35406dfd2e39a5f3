"""`/api/vms` and `/api/jobs`: what the pages of single VMs and jobs show. Described in openapi.json."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from flask import Blueprint, Response, request

from webapp.errors import RequestRefused
from webapp.inventory.model import RECORD_TYPES, ListSummary, TrackedRecord
from webapp.inventory.query import RecordQuery, read_query, sortable
from webapp.model.snapshot_view import SnapshotView, judge
from webapp.poll.current import current_view
from webapp.serving.answers import json_answer
from webapp.serving.context import current_settings
from webapp.views.api import read_number

blueprint = Blueprint("api_lists", __name__, url_prefix="/api")

_LIMIT_DEFAULT, _LIMIT_MAX = 1000, 5000
_FIELDS = {
    record_type: [field.name for field in fields(record_type)] for record_type in RECORD_TYPES.values()
}


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
