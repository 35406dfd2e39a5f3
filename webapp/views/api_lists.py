"""`/api/vms` and `/api/jobs`: what the pages of single VMs and jobs show. Described in openapi.json."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from flask import Blueprint, Response, request

from webapp.inventory.model import KINDS, Item, Summary
from webapp.inventory.query import Asked, read_asked, sortable
from webapp.model.freshness import judge
from webapp.model.snapshot_view import SnapshotView
from webapp.poll.current import current_view
from webapp.serving.context import current_settings
from webapp.serving.errors import Refused
from webapp.views.api import read_number

blueprint = Blueprint("api_lists", __name__, url_prefix="/api")

_LIMIT_DEFAULT, _LIMIT_MAX = 1000, 5000
_FIELDS = {kind: [field.name for field in fields(kind)] for kind in KINDS.values()}


@blueprint.get("/vms")
def vms() -> Response:
    return _answer("vms")


@blueprint.get("/jobs")
def jobs() -> Response:
    return _answer("jobs")


def _answer(kind: str) -> Response:
    """The lists of one grid or of all, as far as `limit` goes."""
    settings = current_settings()
    if settings.inventory_token_file is None:
        text = "no lists of VMs and jobs are kept: WEBAPP_INVENTORY_TOKEN_FILE is not set"
        raise Refused(404, "inventory_off", text)
    from webapp.inventory.database import InventoryFault
    from webapp.inventory.reader import grids_with_lists, open_reader

    asked = _read_asked(kind)
    left = read_number("limit", _LIMIT_DEFAULT, 1, _LIMIT_MAX)
    view = current_view()
    names = [
        grid for grid in grids_with_lists(settings.inventory_folder) if grid not in settings.hidden_grids
    ]
    if wanted := request.args.get("grid", ""):
        if wanted not in names:
            raise Refused(404, "grid_unknown", f"no lists have come from a grid {wanted[:100]!r}")
        names = [wanted]
    grids, things = [], []
    try:
        for name in names:
            with open_reader(settings.inventory_folder, name) as reader:
                summary = reader.summary(kind) if reader else None
                if reader is None or summary is None:
                    continue
                part = reader.part(kind, asked, left)
            grids.append(_describe_grid(name, summary, part.found, view))
            things += [_describe(name, item) for item in part.items]
            left -= len(part.items)
    except InventoryFault as fault:
        raise Refused(503, "cannot_read", str(fault)) from None
    # A hold reason may hold markup; not even a careless reader runs it.
    body = json.dumps({"as_of": view.as_of, "grids": grids, kind: things}).replace("<", "\\u003c")
    return Response(body, content_type="application/json", headers={"Cache-Control": "no-store"})


def _read_asked(kind: str) -> Asked:
    sort = request.args.get("sort", "").strip()
    if sort and sort.removeprefix("-") not in sortable(kind):
        known = ", ".join(sorted(sortable(kind)))
        raise Refused(400, "sort_refused", f"sort={sort[:50]!r} is none of {known}, or one with - in front")
    return read_asked(request.args, kind)


def _describe_grid(name: str, summary: Summary, found: int, view: SnapshotView) -> dict[str, Any]:
    return {
        "grid": name,
        "taken_at": summary.taken_at,
        "freshness": judge(1.0, summary.taken_at, view.as_of, view.stale_after_s),
        "listed": summary.listed,
        "total": summary.total,
        "is_cut": summary.is_cut,
        "found": found,
    }


def _describe(grid: str, item: Item) -> dict[str, Any]:
    return {
        "grid": grid,
        "key": item.key,
        **{name: getattr(item.thing, name) for name in _FIELDS[type(item.thing)]},
        "status": item.status,
        "last_status": item.thing.status,
        "since": item.since,
        "first_seen_at": item.first_seen_at,
        "gone_at": item.gone_at,
        "changes": [change._asdict() for change in item.changes],
    }
