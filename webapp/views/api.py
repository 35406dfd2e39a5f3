"""`/api/status`: every value the page shows, as JSON."""

from __future__ import annotations

from flask import Blueprint, Response, json

from webapp.cached import cached
from webapp.moment import Moment

blueprint = Blueprint("api", __name__, url_prefix="/api")


@blueprint.get("/status")
def status() -> Response:
    return cached(_status, content_type="application/json")


def _status(moment: Moment) -> str:
    return json.dumps(
        {"values": {path: [v.value, v.timestamp] for path, v in moment.snapshot.values.items()}}
    )
