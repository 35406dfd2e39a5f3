"""A local Azure: managed identity, metrics by batch, usages, alert rules. It keeps what it is asked."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

TOKEN = "local-token"
USAGES = {
    "Microsoft.Compute": [("cores", 90, 100), ("standardDSv3Family", 60, 80), ("standardEv5Family", 0, 10),
                          ("availabilitySets", 1, 2500)],
    "Microsoft.Storage": [("StorageAccounts", 5, 250)],
}  # fmt: skip


class LocalAzure(http.server.ThreadingHTTPServer):
    """Metrics are `metrics` by name; resources named in `silent` have none. Answers `status`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, str, Any]] = []  # method, path, authorization, body
        self.status = 200
        self.retry_after_s = 0
        self.wait_s = 0.0
        self.silent: set[str] = set()
        self.is_reversed = False  # the order of answers
        self.metrics = {
            "Percentage CPU": 42.5, "Available Memory Percentage": 61.0,
            "OS Disk IOPS Consumed Percentage": 12.0,
            "Data Disk Bandwidth Consumed Percentage": 97.0, "UsedCapacity": 5e9,
        }  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def identity(self) -> dict[str, str]:
        """The environment of a service with a managed identity."""
        return {"IDENTITY_ENDPOINT": f"{self.url}/identity", "IDENTITY_HEADER": "secret"}

    @property
    def calls(self) -> list[str]:
        """Paths that were asked for, but for tokens."""
        return [path for _, path, _, _ in self.asked if not path.startswith("/identity")]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: LocalAzure
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = json.loads(body) if body else None
        path = self.path.split("?")[0]
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization", ""), given))
        if path == "/identity":
            expires = int(time.time()) + 3600
            return self._send(
                200,
                {"access_token": TOKEN, "expires_on": str(expires), "resource": "r", "token_type": "Bearer"},
            )
        time.sleep(self.server.wait_s)
        if self.server.status != 200:
            return self._send(self.server.status, {"error": {"code": "x", "message": "no"}})
        if path.endswith("/metrics:getBatch"):
            asked = given["resourceids"][:: -1 if self.server.is_reversed else 1]
            return self._send(200, {"values": [self._metrics(one) for one in asked]})
        if path.endswith("/usages"):
            rows = USAGES[path.split("/providers/")[1].split("/")[0]]
            return self._send(200, {"value": [
                {"name": {"value": name}, "currentValue": used, "limit": limit} for name, used, limit in rows
            ]})  # fmt: skip
        if self.command == "PUT":
            return self._send(200, {"id": path, "name": path.rsplit("/", 1)[1], "type": "x", **given})
        return self._send(404, {"error": {"code": "NotFound", "message": path}})

    do_GET = do_PUT = do_POST = _answer

    def _metrics(self, resource: str) -> dict[str, Any]:
        now = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
        is_silent = resource.rsplit("/", 1)[1] in self.server.silent
        asked = self.path.split("metricnames=")[1].split("&")[0].replace("%20", " ").replace("%2C", ",")
        return {
            "starttime": now, "endtime": now, "interval": "PT5M", "namespace": "n",
            "resourceregion": "westeurope", "resourceid": resource,
            "value": [
                {
                    "id": "m", "type": "Microsoft.Insights/metrics", "unit": "Percent",
                    "errorCode": "Success", "name": {"value": name, "localizedValue": name},
                    "timeseries": [] if is_silent else [{"metadatavalues": [], "data": [
                        {"timeStamp": now, "average": self.server.metrics.get(name)}, {"timeStamp": now},
                    ]}],
                }
                for name in asked.replace("+", " ").split(",")
            ],
        }  # fmt: skip

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        if self.server.retry_after_s:
            self.send_header("Retry-After", str(self.server.retry_after_s))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def local_azure() -> Iterator[LocalAzure]:
    server = LocalAzure()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
