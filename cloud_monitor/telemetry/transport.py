"""The exporters' transport: what they would send goes into the spool, and they are told that it was taken.

So no export waits for a network, and no end of a process: as they come the exporters hold it for 90 s when
the other end takes the connection and says nothing.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from cloud_monitor.telemetry.spool import TelemetrySpool

log = logging.getLogger(__name__)

_TAKEN = b'{"itemsReceived":0,"itemsAccepted":0,"errors":[]}'


def spooling_session(spool: TelemetrySpool, kind: str, spooled: Callable[[], None]) -> requests.Session:
    """A session for an exporter; `spooled` is called for each body that was kept."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _SpoolAdapter(spool, kind, spooled))
    return session


class _SpoolAdapter(BaseAdapter):
    def __init__(self, spool: TelemetrySpool, kind: str, spooled: Callable[[], None]) -> None:
        super().__init__()
        self._spool, self._kind, self._spooled = spool, kind, spooled
        self._cannot = ""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body or b""
        try:
            self._spool.put(self._kind, body.encode() if isinstance(body, str) else body)
            self._cannot = ""
            self._spooled()
        except OSError as error:
            if error.strerror != self._cannot:  # once, until it can again
                self._cannot = str(error.strerror)
                log.warning("telemetry is lost: %s: %s", self._spool.folder, error.strerror)
        response = requests.Response()
        response.status_code, response.reason = 200, "OK"
        response.url, response.request = str(request.url), request
        response.headers["Content-Type"] = "application/json"
        response.raw = HTTPResponse(
            body=io.BytesIO(_TAKEN),
            headers={"Content-Type": "application/json"},
            status=200,
            preload_content=False,
        )
        return response

    def close(self) -> None:
        pass
