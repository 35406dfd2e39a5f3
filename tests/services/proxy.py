"""An HTTP proxy before Graphite that counts what passes, and can behave as a broken Graphite would."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, NamedTuple

from tests.services import ask

Mode = Literal[
    "pass", "empty", "500", "slow", "silent", "drip", "html", "truncated", "nan", "types", "not_utf8", "deep",
    "redirect", "huge",
]  # fmt: skip
SLOW_S = 30.0


class Passed(NamedTuple):
    at: float  # epoch seconds
    path: str
    body: str


class Proxy:
    """`url` is where it listens; `passed` what came, oldest first; `mode` how it answers the next request."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.passed: list[Passed] = []
        self.mode: Mode = "pass"
        self.closing = threading.Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy


_BODIES: dict[str, bytes] = {
    "empty": b"[]",
    "html": b"<!DOCTYPE html><html><body>Please log in</body></html>",
    "truncated": b'[{"target": "grids.a.jobs.all.idle", "datapoints": [[1.0, 17000',
    "nan": b'[{"target": "grids.a.jobs.all.idle", "datapoints": [[NaN, 1700000000], [Infinity, 60]]}]',
    "types": b'[{"target": 7, "datapoints": "none"}, {"target": "x", "datapoints": [["1", null]]}, 3]',
    "not_utf8": b'[{"target": "\xff\xfe", "datapoints": []}]',
    "deep": b"[" * 100_000,
}


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        proxy = self.server.proxy
        proxy.passed.append(Passed(time.time(), self.path, body.decode()))
        mode = proxy.mode
        if mode in ("slow", "silent"):
            proxy.closing.wait(SLOW_S)
            self.close_connection = True
        elif mode == "drip":
            self._drip()
        elif mode == "huge":
            self._start(200, 10**12)
            while not proxy.closing.is_set():
                self.wfile.write(b"[" + b" " * 2**20)
        elif mode == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif mode == "500":
            self._answer(500, b"Traceback (most recent call last): ...")
        elif mode == "pass":
            answer = ask.post(f"{proxy.upstream}{self.path}", data=body, headers=self._type())
            self._answer(answer.status_code, answer.content)
        else:
            self._answer(200, _BODIES[mode])

    do_GET = do_POST

    def _type(self) -> dict[str, str]:
        return {"Content-Type": self.headers.get("Content-Type", "")}

    def _drip(self) -> None:
        self._start(200, 10**6)
        while not self.server.proxy.closing.wait(0.1):
            self.wfile.write(b" ")

    def _start(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _answer(self, status: int, body: bytes) -> None:
        self._start(status, len(body))
        self.wfile.write(body)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Tests read `passed`; standard error stays theirs."""


@contextmanager
def run_proxy(upstream: str = "http://127.0.0.1:1") -> Iterator[Proxy]:
    proxy = Proxy(upstream)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
