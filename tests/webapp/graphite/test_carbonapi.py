"""A renderer that says 404 of what matches nothing, as carbonapi, go-carbon and graphite-clickhouse do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from webapp import create_app
from webapp.metrics.counters import SharedCounters
from webapp.model.build import GridOrder
from webapp.poll.current import Latest
from webapp.poll.poller import Poller
from webapp.settings import Settings

KNOWN = "grids.g.heartbeat.condor"
# What each says: its type, "" for none, and its body.
SAYS = {
    "carbonapi": ("application/json", b"[]"),
    "go-carbon": ("text/plain; charset=utf-8", b"no metrics found\n"),
    "graphite-clickhouse": ("", b""),
}


@contextmanager
def renderer(kind: str, body: bytes) -> Iterator[str]:
    """Has one series, with a point in each of the last minutes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if any(fnmatchcase(KNOWN, target) for target in asked["target"]):
                minute = int(time.time()) // 60 * 60
                points = [[1.0, at] for at in range(minute - 3600, minute + 1, 60)]
                self._answer(200, "application/json", json.dumps([{"target": KNOWN, "datapoints": points}]))
            else:
                self._answer(404, kind, body.decode())

        def _answer(self, status: int, kind: str, text: str) -> None:
            self.send_response(status)
            if kind:
                self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test's output is for what fails."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize("who", SAYS)
def test_most_globs_match_nothing_and_all_goes_well(tmp_path: Path, who: str) -> None:
    with renderer(*SAYS[who]) as url:
        settings = Settings(graphite_url=url, state_dir=tmp_path)
        latest = Latest(tmp_path, time.time, GridOrder(), settings.stale_after_s)
        Poller(settings, latest, time.time, SharedCounters(tmp_path)).tick()
        assert (latest.outcome.error, list(latest.snapshot.values)) == ("", [KNOWN])
        client = create_app(settings, poll=False).test_client()
        query = {"target": [KNOWN, "grids.g.jobs.all.idle", "grids.g.jobs.*.held"], "from": "-30min"}
        empty = client.get("/api/series", query_string=query | {"target": query["target"][1:]})
        assert [one["values"] for one in empty.json["series"]] == [[], []]
        known = client.get("/api/series", query_string=query | {"target": KNOWN}).json["series"][0]
        assert set(known["values"]) == {1.0}
        assert client.get("/export", query_string=query | {"target": query["target"][1:]}).status_code == 200
