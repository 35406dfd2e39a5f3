"""`/metrics`: figures for Prometheus, the same whichever process answers."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.metrics.exposition import CONTENT_TYPE, expose
from webapp.poll.current import current_moment
from webapp.serving.context import current_telemetry
from webapp.views.render import judge_of

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def show() -> Response:
    moment = current_moment()
    judge = judge_of(moment)
    health = {grid.name: int(judge.grid(grid).level) for grid in moment.snapshot.grids}
    return Response(
        expose(moment, current_telemetry().totals(), health),
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store"},
    )
