"""`/health`: is the page's data young enough to be trusted? For load balancers and monitors."""

from __future__ import annotations

from flask import Blueprint, Response, json

from webapp.poll.current import current_view
from webapp.serving.context import current_settings

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
    return Response(
        json.dumps(answer) + "\n",
        status=200 if healthy else 503,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
