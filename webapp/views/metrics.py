"""`/metrics`: figures for Prometheus, the same whichever process answers."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.alerts.store import read_alerts
from webapp.metrics.exposition import CONTENT_TYPE, expose
from webapp.poll.current import current_view
from webapp.serving.context import current_counters, current_settings
from webapp.views.render import health_of

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def show() -> Response:
    view = current_view()
    health = health_of(view)
    levels = {grid.name: health.grid(grid).level for grid in view.snapshot.grids}
    failures = {one.name: one.failures for one in read_alerts(current_settings().state_dir).channels}
    return Response(
        expose(view, current_counters().totals(), levels, failures),
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store"},
    )
