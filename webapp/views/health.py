"""How it stands, for other programs and pages: `/health`, whether the page's data are young enough to be
trusted, for load balancers; `/metrics` for Prometheus; `/badge/<grid>.svg`, a grid's state as a small
picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, json, request
from markupsafe import escape

from cloud_monitor import __version__
from webapp.alerts.store import read_alerts
from webapp.errors import RequestRefused
from webapp.metrics.exposition import CONTENT_TYPE, expose
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Grid, Value
from webapp.poll.current import current_view
from webapp.serving.context import current_counters, current_settings
from webapp.serving.identity import identify
from webapp.serving.page_cache import cached_response
from webapp.views.render import health_of

health = Blueprint("health", __name__)
metrics = Blueprint("metrics", __name__)
badge = Blueprint("badge", __name__)

_COLOURS = {"ok": "#1a7f37", "warn": "#9a6700", "stale": "#57606a", "bad": "#b3261e"}
_LETTER_PX = 7


@health.get("/health", endpoint="show")
def show_health() -> Response:
    """200 while the snapshot is younger than WEBAPP_HEALTH_MAX_AGE_S, 503 when it is older or absent.

    With `?detail=1`, for whoever may change something: the fleet's active chunks, its queue, Azure's figures.
    """
    settings = current_settings()
    view = current_view()
    age_s = view.age_s
    healthy = age_s is not None and age_s <= settings.health_max_age_s
    answer = {
        "status": "ok" if healthy else "too old" if age_s is not None else "no data yet",
        "snapshot_age_s": None if age_s is None else round(age_s),
        "max_age_s": settings.health_max_age_s,
        "series": len(view.snapshot.values),
        "version": __version__,
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


@metrics.get("/metrics", endpoint="show")
def show_metrics() -> Response:
    """The same whichever process answers."""
    failures = {one.name: one.failures for one in read_alerts(current_settings().state_dir).channels}
    return Response(
        expose(health_of(current_view()), current_counters().totals(), failures),
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store"},
    )


@badge.get("/badge/<grid>.svg", endpoint="show")
def show_badge(grid: str) -> Response:
    if all(known.name != grid for known in current_view().snapshot.grids):
        raise RequestRefused(404, "no_such_grid", "no grid of that name is shown")
    return cached_response(lambda view: _draw(grid, view), content_type="image/svg+xml")


def _draw(name: str, view: SnapshotView) -> str:
    grid = next((grid for grid in view.snapshot.grids if grid.name == name), None)
    finding = health_of(view).grid(grid) if grid is not None else None
    word, kind = (finding.level.word, finding.level.kind) if finding is not None else ("gone", "stale")
    return draw_badge(current_settings().grid_names.get(name, name), word, _COLOURS[kind])


def draw_badge(label: str, word: str, colour: str) -> str:
    """An SVG of two fields. Only attributes, no style: the strict policy of other pages may forbid that."""
    left, right = (len(text) * _LETTER_PX + 12 for text in (label, word))
    width = left + right
    texts = "".join(
        f'<text x="{x}" y="14" fill="#fff" font-family="DejaVu Sans,Verdana,sans-serif" font-size="11" '
        f'text-anchor="middle" textLength="{len(text) * _LETTER_PX}">{escape(text)}</text>'
        for x, text in ((left / 2, label), (left + right / 2, word))
    )
    title = f"{escape(label)}: {escape(word)}"
    fields = (
        f'<rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" '
        f'aria-label="{title}"><title>{title}</title>{fields}{texts}</svg>'
    )
