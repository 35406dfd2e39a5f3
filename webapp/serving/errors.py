"""Answers to what cannot be served: a status, a code for programs, a sentence for people, no traceback."""

from __future__ import annotations

import logging

from flask import Flask, Response, json, request
from werkzeug.exceptions import HTTPException

from webapp.errors import RequestRefused

log = logging.getLogger(__name__)

_FOR_PROGRAMS = ("/api/", "/export", "/metrics", "/health")


def handle_refusals(app: Flask) -> None:
    @app.errorhandler(RequestRefused)
    def refused(error: RequestRefused) -> Response:
        response = answer(error.status, error.code, error.message)
        if error.retry_after_s is not None:
            response.headers["Retry-After"] = str(error.retry_after_s)
        if error.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        response = answer(status, error.name.lower().replace(" ", "_"), error.name)
        for name, value in error.get_headers(None, None):
            if name in ("Allow", "Location"):
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def fault(error: Exception) -> Response:
        log.error("%s %s ended in a fault", request.method, request.path, exc_info=error)
        return answer(500, "internal_error", "The request ended in a fault of the server; its log says more.")


def answer(status: int, code: str, message: str) -> Response:
    """JSON for programs, plain text for people; both say the same."""
    if request.path.startswith(_FOR_PROGRAMS):
        body, content_type = json.dumps({"error": {"code": code, "message": message}}), "application/json"
        body = body.replace(
            "<", "\\u003c"
        )  # a message may quote the request; not even a careless reader runs it
    else:
        body, content_type = f"{status} {message}", "text/plain; charset=utf-8"
    return Response(f"{body}\n", status, content_type=content_type, headers={"Cache-Control": "no-store"})
