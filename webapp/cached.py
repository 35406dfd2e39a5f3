"""Rendered bytes, kept as long as they are true: per snapshot, outcome of the last poll, and minute.

Freshness is judged while rendering, and the minute is part of the key, so it is never cached past its time.
"""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Response, current_app, request

from webapp.moment import Moment, current_moment

EXTENSION = "cloud_monitor.rendered"
_KEPT_MAX = 64  # pages; each is a few hundred KB at most
_GZIP_FROM_BYTES = 600  # below that, the saving is less than a packet


@dataclass(frozen=True, slots=True)
class _Page:
    stamp: str
    plain: bytes
    zipped: bytes | None


@dataclass(slots=True)
class _Slot:
    """One page's place. The lock lets one thread render while the others wait for its result."""

    page: _Page | None = None
    rendering: threading.Lock = field(default_factory=threading.Lock)


class Rendered:
    """The pages of this process, least recently used ones dropped first. `version` changes with the code."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def etag(self, moment: Moment) -> str:
        return f'W/"{self._version}-{moment.stamp}"'

    def page(self, key: str, moment: Moment, render: Callable[[Moment], str | bytes]) -> _Page:
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > _KEPT_MAX:
                self._slots.popitem(last=False)
        page = slot.page
        if page is not None and page.stamp == moment.stamp:
            return page
        with slot.rendering:
            page = slot.page
            if page is None or page.stamp != moment.stamp:
                try:
                    text = render(moment)
                except Exception:
                    with self._lock:
                        self._slots.pop(key, None)  # a page that does not exist takes no place
                    raise
                plain = text.encode() if isinstance(text, str) else text
                zipped = gzip.compress(plain, 6, mtime=0) if len(plain) >= _GZIP_FROM_BYTES else None
                slot.page = page = _Page(moment.stamp, plain, zipped)
        return page


def cached(
    render: Callable[[Moment], str | bytes],
    *,
    key: str | None = None,
    content_type: str = "text/html; charset=utf-8",
) -> Response:
    """Answer with what `render` makes of the moment: kept bytes, gzip, ETag, 304 where the browser has it.

    `key` names what is rendered, by default the path of the request; whatever else render depends on (a query
    parameter that was checked) must be part of it.
    """
    rendered: Rendered = current_app.extensions[EXTENSION]
    moment = current_moment()
    etag = rendered.etag(moment)
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if request.environ.get("HTTP_IF_NONE_MATCH") == etag:
        return Response(status=304, headers=headers)
    page = rendered.page(key or request.path, moment, render)
    body = page.plain
    if page.zipped is not None and "gzip" in request.environ.get("HTTP_ACCEPT_ENCODING", ""):
        body = page.zipped
        headers["Content-Encoding"] = "gzip"
    return Response(body, content_type=content_type, headers=headers)
