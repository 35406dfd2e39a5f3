"""Answers for programs, in JSON; and to what cannot be served: a status, a code for programs, a sentence for
people, no traceback.
"""

from __future__ import annotations

import json
import logging

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from webapp.errors import RequestRefused

log = logging.getLogger(__name__)

_FOR_PROGRAMS = ("/api/", "/export", "/metrics", "/health")
_KEPT_BY_NOBODY = {"Cache-Control": "no-store"}


def json_answer(content: object, status: int = 200) -> Response:
    return Response(_json(content), status, content_type="application/json", headers=_KEPT_BY_NOBODY)


def _json(content: object) -> str:
    """A text in it may hold markup; not even a careless reader runs it."""
    return json.dumps(content).replace("<", "\\u003c")


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
        body, content_type = _json({"error": {"code": code, "message": message}}), "application/json"
    else:
        body, content_type = f"{status} {message}", "text/plain; charset=utf-8"
    return Response(f"{body}\n", status, content_type=content_type, headers=_KEPT_BY_NOBODY)
