"""Rendered bytes, kept as long as they are true: per snapshot, outcome of the last poll, and minute.

Freshness is judged while rendering, and the minute is part of the key, so it is never cached past its time.
The status page is rendered ahead, as soon as what it shows is new, so that no visitor waits for that: only
while somebody visits.
"""

from __future__ import annotations

import gzip
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Response, current_app, request
from werkzeug.test import EnvironBuilder, run_wsgi_app

from webapp.model.snapshot_view import SnapshotView
from webapp.poll.current import current_view

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

EXTENSION = "cloud_monitor.page_cache"
_KEPT_MAX = 64  # pages; each is a few hundred KB at most
_GZIP_FROM_BYTES = 600  # below that, the saving is less than a packet
_ADDRESSES_MAX = 512
_ADDRESS_LENGTH_MAX = 300
_AHEAD_QUERIES = ("", "part=cells")  # the status page, and what an open one asks for each minute
_AHEAD_ASKED_WITHIN_S = 150.0
_AHEAD_MAX = 8  # addresses

Headers = list[tuple[str, str]]


class Ready(NamedTuple):
    """A whole answer."""

    status: str
    headers: Headers
    body: bytes
    route: str


@dataclass(frozen=True, slots=True)
class _Page:
    stamp: str
    etag: str
    content_type: str
    route: str
    plain: bytes
    zipped: bytes | None

    def answer(self, if_none_match: str, accept_encoding: str) -> Ready:
        kept = [("ETag", self.etag), ("Cache-Control", "no-cache"), ("Vary", "Accept-Encoding")]
        if if_none_match == self.etag:
            return Ready("304 NOT MODIFIED", kept, b"", self.route)
        kept.append(("Content-Type", self.content_type))
        body = self.plain
        if self.zipped is not None and accepts_gzip(accept_encoding):
            body = self.zipped
            kept.append(("Content-Encoding", "gzip"))
        kept.append(("Content-Length", str(len(body))))
        return Ready("200 OK", kept, body, self.route)


@dataclass(slots=True)
class _Slot:
    """One page's place. The lock lets one thread render while the others wait for its result."""

    page: _Page | None = None
    rendering: threading.Lock = field(default_factory=threading.Lock)


class PageCache:
    """The pages of this process; those rendered longest ago are dropped. `version` changes with the code."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._addresses: dict[str, str] = {}  # of requests, to the key of their page
        self._lock = threading.Lock()

    def find_ready(self, environ: Mapping[str, Any], view: SnapshotView) -> Ready | None:
        """The answer to a request for an address that was answered before, if it is still true."""
        slot = self._slots.get(self._addresses.get(_address(environ), ""))
        page = None if slot is None else slot.page
        if page is None or environ["REQUEST_METHOD"] != "GET" or page.stamp != view.stamp:
            return None
        return page.answer(environ.get("HTTP_IF_NONE_MATCH", ""), environ.get("HTTP_ACCEPT_ENCODING", ""))

    def page(
        self, key: str, content_type: str, view: SnapshotView, render: Callable[[SnapshotView], str | bytes]
    ) -> _Page:
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > _KEPT_MAX:
                self._slots.popitem(last=False)
        with slot.rendering:
            page = slot.page
            if page is None or page.stamp != view.stamp:
                try:
                    text = render(view)
                except Exception:
                    with self._lock:
                        self._slots.pop(key, None)  # a page that does not exist takes no place
                    raise
                slot.page = page = self.pack(text, content_type, view.stamp)
        self._note_address(key)
        return page

    def etag(self, stamp: str) -> str:
        """Of the request at hand: a page that is served under another prefix is another page."""
        root = f"-{sha256(request.script_root.encode()).hexdigest()[:12]}" if request.script_root else ""
        return f'W/"{self._version}-{stamp}{root}"'

    def pack(self, text: str | bytes, content_type: str, stamp: str) -> _Page:
        plain = text.encode() if isinstance(text, str) else text
        zipped = gzip.compress(plain, 6, mtime=0) if len(plain) >= _GZIP_FROM_BYTES else None
        route = request.url_rule.rule if request.url_rule is not None else "none"
        return _Page(stamp, self.etag(stamp), content_type, route, plain, zipped)

    def _note_address(self, key: str) -> None:
        address = _address(request.environ)
        if len(address) > _ADDRESS_LENGTH_MAX:
            return
        if len(self._addresses) >= _ADDRESSES_MAX:
            self._addresses.clear()
        self._addresses[address] = key


@lru_cache(maxsize=64)
def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding admits gzip: named, or by `*`, and not with a quality of 0."""
    qualities = {}
    for item in accept_encoding.lower().split(","):
        coding, *parameters = (part.strip() for part in item.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        qualities[coding] = bool(quality.strip("0."))
    return qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", False)))


def cached_response(
    render: Callable[[SnapshotView], str | bytes],
    *,
    key: str | None = None,
    content_type: str = "text/html; charset=utf-8",
) -> Response:
    """Answer with what `render` makes of the snapshot: kept bytes, gzip, ETag, 304 where the browser has it.

    `key` names what is rendered, by default the path of the request; whatever else render depends on (a query
    parameter that was checked) must be part of it.
    """
    page_cache: PageCache = current_app.extensions[EXTENSION]
    # Links in a page begin with the prefix it is served under.
    page_key = f"{request.script_root} {key or request.path}"
    page = page_cache.page(page_key, content_type, current_view(), render)
    environ = request.environ
    ready = page.answer(environ.get("HTTP_IF_NONE_MATCH", ""), environ.get("HTTP_ACCEPT_ENCODING", ""))
    return Response(ready.body, ready.status, ready.headers)


def uncached_response(
    render: Callable[[SnapshotView], str | bytes],
    edition: str,
    *,
    content_type: str = "text/html; charset=utf-8",
) -> Response:
    """As `cached_response`, but not kept: for pages of so many addresses that they would push out the others.

    `edition` names what the page shows beside the snapshot. A browser that has this very page gets a 304, and
    nothing is rendered.
    """
    page_cache: PageCache = current_app.extensions[EXTENSION]
    view = current_view()
    stamp = f"{view.stamp}-{edition}"
    if request.headers.get("If-None-Match") == page_cache.etag(stamp):
        page = _Page(stamp, page_cache.etag(stamp), content_type, "", b"", None)
    else:
        page = page_cache.pack(render(view), content_type, stamp)
    environ = request.environ
    ready = page.answer(environ.get("HTTP_IF_NONE_MATCH", ""), environ.get("HTTP_ACCEPT_ENCODING", ""))
    return Response(ready.body, ready.status, ready.headers)


def _address(environ: Mapping[str, Any]) -> str:
    return f"{environ.get('SCRIPT_NAME', '')} {environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"


class Prerenderer:
    """Notes who asks for the status page, and asks the app itself in their place.

    An address counts for a few minutes after this process was last asked for it.
    """

    def __init__(self, flask: WSGIApplication, clock: Callable[[], float] = time.monotonic) -> None:
        self._flask = flask
        self._clock = clock
        self._asked_at: dict[tuple[str, str], float] = {}  # of prefix and query

    def note(self, environ: WSGIEnvironment) -> None:
        address = (environ.get("SCRIPT_NAME", ""), environ.get("QUERY_STRING", ""))
        if environ["PATH_INFO"] != "/" or address[1] not in _AHEAD_QUERIES:
            return
        if address in self._asked_at or len(self._asked_at) < _AHEAD_MAX:
            self._asked_at[address] = self._clock()

    def render(self) -> None:
        """Have the page rendered and kept for every address that somebody has asked for lately."""
        for address, asked_at in list(self._asked_at.items()):
            if self._clock() - asked_at > _AHEAD_ASKED_WITHIN_S:
                del self._asked_at[address]
                continue
            prefix, query = address
            environ = EnvironBuilder(path="/", query_string=query).get_environ()
            environ["SCRIPT_NAME"] = prefix
            run_wsgi_app(self._flask, environ, buffered=True)
