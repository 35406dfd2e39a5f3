"""The peer of the day plot: a page that has the store thin out (`maxDataPoints`) and passes that on as JSON.

So did the page once: one question, and averages labelled a point late.
"""

from __future__ import annotations

import json
import sys

import waitress
from flask import Flask, Response, request

from cloud_monitor.exchange import post
from webapp.graphite.client import parse_series

POINTS_MAX = 1000


def create_peer(store_url: str) -> Flask:
    app = Flask(__name__)

    @app.get("/api/series")
    def series() -> Response:
        asked = [("target", target) for target in request.args.getlist("target")]
        asked += [(name, request.args[name]) for name in ("from", "until")]
        asked += [("format", "json"), ("maxDataPoints", str(POINTS_MAX))]
        with post(f"{store_url}/render", asked, 60) as (answer, _):
            body = answer.content
        found = [
            {
                "target": one.target,
                "timestamps": [point.timestamp for point in one.points],
                "values": [point.value for point in one.points],
            }
            for one in parse_series(body, store_url)
        ]
        return Response(json.dumps({"series": found}), content_type="application/json")

    return app


if __name__ == "__main__":
    waitress.serve(create_peer(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), threads=4)
