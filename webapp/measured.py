"""Count every request by route and status, and how long it took."""

from __future__ import annotations

from time import perf_counter

from flask import Flask, Response, request

from webapp.telemetry import LATENCY, REQUESTS, Telemetry

_STARTED = "cloud_monitor.started"


def measure_requests(app: Flask, telemetry: Telemetry) -> None:
    static = f"{app.static_url_path}/<path:filename>"

    @app.before_request
    def start() -> None:
        request.environ[_STARTED] = perf_counter()

    @app.after_request
    def stop(response: Response) -> Response:
        rule = request.url_rule
        route = "none" if rule is None else "/static" if rule.rule == static else rule.rule
        telemetry.add(REQUESTS, route, str(response.status_code))
        telemetry.observe(LATENCY, route, perf_counter() - request.environ[_STARTED])
        return response
