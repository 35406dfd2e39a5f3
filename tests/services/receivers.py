"""Real servers that alerts are delivered to: SMTP (aiosmtpd), and HTTP that keeps what it gets."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller

from tests.services.support import free_port


class HttpReceiver(http.server.ThreadingHTTPServer):
    """Keeps each body; answers `status`, one byte each second for `drip_s` where that is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status = 200
        self.drip_s = 0
        self.refuse: Callable[[], bool] = lambda: False  # a body that is not taken: 503

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: HttpReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = 503 if self.server.refuse() else self.server.status
        self.server.paths.append(self.path)
        if body and status == 200:
            self.server.got.append(json.loads(body))
        try:
            if self.server.drip_s:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                for _ in range(self.server.drip_s):
                    self.wfile.write(b"a")
                    time.sleep(1)
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        except OSError:
            pass

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    server = HttpReceiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def silent_listener() -> Iterator[int]:
    """The port of one that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


class Mailbox:
    def __init__(self) -> None:
        self.got: list[str] = []
        self.port = free_port()

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        self.got.append(envelope.content.decode("utf-8", "replace"))
        return "250 kept"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
