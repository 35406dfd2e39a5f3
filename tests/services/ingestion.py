"""A local ingestion endpoint of Application Insights and OTLP receiver, which keeps what it gets."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

KEY = "00000000-0000-0000-0000-000000000001"


class Ingestion(http.server.ThreadingHTTPServer):
    """`envelopes` are Application Insights'; `otlp` are (path, protobuf). Answers `status`; with `drip` one
    byte of its headers each 0.2 s, for ever.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.envelopes: list[dict[str, Any]] = []
        self.otlp: list[tuple[str, bytes]] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.answer: dict[str, Any] = {}
        self.more_headers: dict[str, str] = {}
        self.drip = False
        self.connects: list[str] = []  # what it was asked for as a proxy

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def connection_string(self) -> str:
        return f"InstrumentationKey={KEY};IngestionEndpoint={self.url}"

    def data(self, base_type: str) -> list[dict[str, Any]]:
        """The baseData of all envelopes of a type."""
        return [one["data"]["baseData"] for one in self.envelopes if one["data"]["baseType"] == base_type]

    def metrics(self, name: str) -> list[float]:
        points = [point for data in self.data("MetricData") for point in data["metrics"]]
        return [point["value"] for point in points if point["name"] == name]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Ingestion

    def do_POST(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        server.headers.append(dict(self.headers))
        try:
            if server.drip:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                while server.drip:
                    self.wfile.write(b"a")
                    time.sleep(0.2)
                return
            if server.status in (200, 206):
                if self.path.startswith("/v1/"):
                    server.otlp.append((self.path, body))
                else:
                    server.envelopes += json.loads(body)
            text = json.dumps(
                server.answer or {"itemsReceived": 1, "itemsAccepted": 1, "errors": []}
            ).encode()
            self.send_response(server.status)
            for name, value in {**server.more_headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)
        except OSError:
            pass

    def do_CONNECT(self) -> None:
        self.server.connects.append(self.path)
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def ingestion() -> Iterator[Ingestion]:
    server = Ingestion()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.drip = False
        server.shutdown()
        server.server_close()
