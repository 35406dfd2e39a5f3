"""`/health`: is the page's data young enough to be trusted? For load balancers and monitors.

With `?detail=1`, for whoever may change something: the fleet's active chunks, its queue, Azure's figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, json, request

from webapp.errors import RequestRefused
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Grid, Value
from webapp.poll.current import current_view
from webapp.serving.context import current_settings
from webapp.serving.identity import identify

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def show() -> Response:
    """200 while the snapshot is younger than WEBAPP_HEALTH_MAX_AGE_S, 503 when it is older or absent."""
    settings = current_settings()
    view = current_view()
    age_s = view.age_s
    healthy = age_s is not None and age_s <= settings.health_max_age_s
    answer = {
        "status": "ok" if healthy else "too old" if age_s is not None else "no data yet",
        "snapshot_age_s": None if age_s is None else round(age_s),
        "max_age_s": settings.health_max_age_s,
        "series": len(view.snapshot.values),
        "poll": {
            "failures": view.outcome.failures,
            "error": view.outcome.error or None,
            "last_attempt": round(view.outcome.attempted_at) or None,
            "last_success": round(view.outcome.succeeded_at) or None,
            "duration_s": round(view.outcome.duration_s, 3),
            "refused_names": view.outcome.refused_names,
        },
    }
    if _wants_detail():
        identify()
        answer["detail"] = describe(view, settings.fleet_database_url)
    return Response(
        json.dumps(answer) + "\n",
        status=200 if healthy else 503,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _wants_detail() -> bool:
    given = request.args.get("detail", "0")
    if given not in ("0", "1"):
        raise RequestRefused(400, "detail_refused", "detail is 0 or 1")
    return given == "1"


def describe(view: SnapshotView, queue_url: str | None) -> dict[str, Any]:
    """What the queue's database says, where it is set, and Graphite of each grid; fresh figures alone."""
    grids = {grid.name: _describe_grid(grid, view) for grid in view.snapshot.grids}
    queue = _read_queue(queue_url) if queue_url else None
    active = [found["chunks"]["active"] for found in grids.values() if "active" in found["chunks"]]
    by_graphite = sum(active) if active else None
    return {"active_chunks": queue["active_chunks"] if queue else by_graphite, "queue": queue, "grids": grids}


def _read_queue(url: str) -> dict[str, Any]:
    from webapp.views.fleet.reading import read_queue_state  # SQLAlchemy: only where there is a queue to read

    return read_queue_state(url)


def _describe_grid(grid: Grid, view: SnapshotView) -> dict[str, Any]:
    families = grid.figures.by_family
    azure = {
        "vms": _fresh(families.get("azure_vms", {}), view),
        "storage": _fresh(families.get("azure_storage", {}), view),
        "quotas": _fresh(families.get("azure_quotas", {}), view),
        **_fresh(families.get("azure", {}), view),
    }
    chunks, images = _fresh(grid.fleet.chunks, view), _fresh(grid.fleet.images, view)
    return {"chunks": chunks, "images": images, "azure": azure}


def _fresh(figures: Mapping[str, Any], view: SnapshotView) -> dict[str, Any]:
    """The same tree with plain numbers, without what is old, and without what is empty then."""
    found: dict[str, Any] = {}
    for name, below in figures.items():
        if isinstance(below, Value):
            if below.value is not None and view.is_fresh(below):
                found[name] = below.value
        elif inner := _fresh(below, view):
            found[name] = inner
    return found
