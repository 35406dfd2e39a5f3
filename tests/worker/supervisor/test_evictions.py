"""Scheduled Events: only one that ends this machine is a reason to leave; a silent service is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.services.support import PATIENCE_S
from worker.supervisor.evictions import (
    AZURE_CHASSIS,
    AZURE_URL,
    NAME_PATH,
    ending_event,
    scheduled_events_url,
)

ROOT = Path(__file__).parents[3]
EVENT = {"EventId": "1", "EventType": "Preempt", "ResourceType": "VirtualMachine", "Resources": ["vm1"]}


class Metadata(HTTPServer):
    """Answers as Azure's service: without the Metadata header it refuses. `names` is what it says, in turn,
    of the machine's name; None: nothing.
    """

    answers: list[bytes]
    names: list[str | None]

    def answer(self) -> bytes:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Handler(BaseHTTPRequestHandler):
    server: Metadata

    def do_GET(self) -> None:
        name = self.server.names.pop(0) if self.path == NAME_PATH else ""
        good = self.headers.get("Metadata") == "true" and name is not None
        self.send_response(200 if good else 400)
        self.end_headers()
        self.wfile.write((name or "").encode() or self.server.answer() if good else b"")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    server = Metadata(("127.0.0.1", 0), Handler)
    server.names = [None, "vm1"]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("events", "name", "kind"),
    [
        ([], "vm1", None),
        ([EVENT], "vm1", "Preempt"),
        ([EVENT], "VM1", "Preempt"),
        ([EVENT], "", "Preempt"),
        ([EVENT], "vm2", None),
        ([EVENT, {**EVENT, "EventType": "Reboot", "Resources": ["vm3", "vm2"]}], "vm2", "Reboot"),
        ([{**EVENT, "Resources": None}], "vm2", "Preempt"),
        ([{**EVENT, "EventType": "Freeze"}], "vm1", None),
        ([{}], "vm1", None),
    ],
)
def test_only_what_ends_this_machine_counts(
    events: list[dict[str, Any]], name: str, kind: str | None
) -> None:
    assert ending_event({"Events": events}, name) == kind


def test_leaves_once_the_event_is_there(metadata: Metadata) -> None:
    """What happens to another machine of the set is not ours, and a proxy is not asked for any of it."""
    nothing, others, ours = (
        json.dumps({"DocumentIncarnation": 1, "Events": events}).encode()
        for events in ([], [{**EVENT, "Resources": ["vm2"]}], [{**EVENT, "EventType": "Terminate"}])
    )
    metadata.answers = [b"not json", b"[1]", nothing, others, ours]
    program = (
        "import sys; from worker.supervisor.evictions import watch_evictions; "
        "watch_evictions(sys.argv[1], print, poll_s=0.01).join()"
    )
    watched = subprocess.run(  # the proxy is set for this program alone
        [sys.executable, "-c", program, f"http://127.0.0.1:{metadata.server_port}/"],
        env={**os.environ, "http_proxy": "http://127.0.0.1:9"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert watched.stdout == "Azure announces Terminate\n", watched.stderr


def test_polled_only_on_azures_machines(tmp_path: Path) -> None:
    chassis = tmp_path / "chassis_asset_tag"
    assert scheduled_events_url("auto", chassis) is None
    chassis.write_text("Something else\n")
    assert scheduled_events_url("auto", chassis) is None
    chassis.write_text(f"{AZURE_CHASSIS}\n")
    assert scheduled_events_url("auto", chassis) == AZURE_URL
    assert scheduled_events_url("off", chassis) is None
    assert scheduled_events_url("http://127.0.0.1:1/", chassis) == "http://127.0.0.1:1/"
