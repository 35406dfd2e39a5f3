"""One HTTP exchange that ends by its deadline: requests and urllib3 bound each single wait, not their sum."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection


class ExchangeDeadline:
    """Shuts the exchange's connection when its time is over, whatever is waited for then: a handshake, a
    status line, a header, a chunk.
    """

    def __init__(self, timeout_s: float) -> None:
        self.expired = False
        self._twin: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(timeout_s, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def add(self, connection: socket.socket) -> socket.socket:
        twin = connection.dup()  # TLS takes the first descriptor over; both are ends of one connection
        with self._lock:
            if self._twin is not None:
                self._twin.close()
            self._twin = twin
        if self.expired:
            self._expire()
        return connection

    def close(self) -> None:
        self._timer.cancel()
        with self._lock:
            if self._twin is not None:
                self._twin.close()

    def _expire(self) -> None:
        self.expired = True
        with self._lock, suppress(OSError):
            if self._twin is not None:
                self._twin.shutdown(socket.SHUT_RDWR)


_deadline: ContextVar[ExchangeDeadline] = ContextVar("deadline")


class _BoundedHTTP(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _deadline.get().add(super()._new_conn())


class _BoundedHTTPS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _deadline.get().add(super()._new_conn())


class _BoundedAdapter(HTTPAdapter):
    def get_connection_with_tls_context(self, *args: Any, **more: Any) -> Any:
        pool = super().get_connection_with_tls_context(*args, **more)
        pool.ConnectionCls = _BoundedHTTPS if pool.scheme == "https" else _BoundedHTTP  # type: ignore[attr-defined]
        return pool


@contextmanager
def post(
    url: str,
    data: Sequence[tuple[str, str]] | bytes,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
) -> Iterator[tuple[requests.Response, ExchangeDeadline]]:
    """Post a form, or bytes, and yield the answer, its body unread, and the deadline, which says whether time
    is over.

    Redirects are not followed. The environment's proxies and certificates count. Raises what requests raises.
    """
    with (
        closing(ExchangeDeadline(timeout_s)) as deadline,
        requests.Session() as session,
        closing(_BoundedAdapter()) as adapter,
    ):
        token = _deadline.set(deadline)
        try:
            form = data if isinstance(data, bytes) else list(data)
            request = session.prepare_request(requests.Request("POST", url, data=form, headers=headers))
            using: Any = session.merge_environment_settings(url, {}, True, None, None)
            # The session's own send would read the whole body of a redirect, however long.
            with adapter.send(request, timeout=timeout_s, **using) as answer:
                yield answer, deadline
        finally:
            _deadline.reset(token)
