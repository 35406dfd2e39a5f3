"""What stands before Flask: answers that are ready, the headers of every answer, the counting of requests.

A page whose bytes are kept and still true is answered here, without a request context, routing or a response
object: most requests of an open page are of this kind. Everything else goes on to Flask.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from webapp.metrics.counters import LATENCY, REQUESTS, SharedCounters
from webapp.poll.current import Latest
from webapp.serving.assets import MAX_AGE_S
from webapp.serving.page_cache import PageCache, Prerenderer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)
_POLICY = [
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
]
_OURS = [*_POLICY, ("Cross-Origin-Resource-Policy", "same-origin")]
_BARE = [  # pictures that others made: nothing beside them, whatever a browser takes them for
    ("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
    ("X-Frame-Options", "DENY"),
    *(header for header in _OURS if header[0] not in ("Content-Security-Policy", "X-Frame-Options")),
]
_FOR_OTHERS = [*_POLICY, ("Cross-Origin-Resource-Policy", "cross-origin")]  # badges stand on other pages

ROUTE = "cloud_monitor.route"  # of the request, in its environment
_STATIC = "/static"
_FOR_EVER = [("Cache-Control", f"public, max-age={MAX_AGE_S}, immutable")]  # the path carries the hash


class Middleware:
    """The WSGI application around Flask's."""

    def __init__(
        self,
        flask: WSGIApplication,
        prerenderer: Prerenderer,
        page_cache: PageCache,
        latest: Latest,
        counters: SharedCounters,
        static: str,
    ) -> None:
        self._flask = flask
        self._prerenderer = prerenderer
        self._page_cache = page_cache
        self._latest = latest
        self._counters = counters
        self._static = static

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = perf_counter()
        self._prerenderer.note(environ)
        ready = self._page_cache.find_ready(environ, self._latest.view())
        if ready is not None:
            status, headers, body, route = ready
            environ[ROUTE] = route
            start_response(status, headers + self._policy(environ))
            self._count(route, status, started)
            return [body]

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            route = environ[ROUTE] = self._route_of(environ)
            self._count(route, status, started)
            if route == _STATIC and status[0] in "23":
                headers = [header for header in headers if header[0] != "Cache-Control"] + _FOR_EVER
            return start_response(status, headers + self._policy(environ), *error)

        return self._flask(environ, start)

    def _policy(self, environ: WSGIEnvironment) -> list[tuple[str, str]]:
        path = environ["PATH_INFO"]
        if path.startswith("/fleet/pictures/"):
            return _BARE
        return _FOR_OTHERS if path.startswith("/badge/") else _OURS

    def _count(self, route: str, status: str, started: float) -> None:
        self._counters.add(REQUESTS, route, status[:3])
        self._counters.observe(LATENCY, route, perf_counter() - started)

    def _route_of(self, environ: WSGIEnvironment) -> str:
        """The rule that matched, as it is written: names in paths would make a counter for each."""
        request = environ.get("werkzeug.request")
        rule = None if request is None else request.url_rule
        if rule is None:
            return "none"
        return _STATIC if rule.rule.startswith(self._static) else str(rule.rule)
