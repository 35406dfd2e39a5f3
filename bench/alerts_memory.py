"""Memory of a small machine's page while it sends an alert: page, evaluator and sender, in MB of PSS.

The page runs as its unit has it, without a Graphite; a message lies in the outbox, and what takes it answers
slowly, so that the sender is seen at its most. `--tiny` changes nothing but the number of pages asked for.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import requests

from bench.pss import read_children, read_tree_pss_mb
from webapp.alerts.sending.outbox import OutMessage
from webapp.alerts.store import open_store
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Value
from webapp.poll.state_files import Polled, write_outcome, write_polled

LIMIT_MB = 80.0
HELD_S = 3.0  # so long an answer takes
PATIENCE_S = 60.0


def main() -> int:
    clouds = 3 if "--tiny" in sys.argv else 55
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as slow:
        threading.Thread(target=_answer_late, args=(slow,), daemon=True).start()
        state_dir = Path(folder)
        _prepare(state_dir, clouds, slow.getsockname()[1])
        alone, sending = _watch(state_dir)
    print(json.dumps({"name": "alerts_memory_page", "value": round(alone, 1), "unit": "MB"}))
    told = {"name": "alerts_memory_while_sending", "value": round(sending, 1), "unit": "MB"}
    print(json.dumps({**told, "limit": LIMIT_MB}))
    return int(sending > LIMIT_MB)


def _prepare(state_dir: Path, clouds: int, port: int) -> None:
    """A snapshot of a grid, a channel, and one message that is due."""
    now = int(time.time())
    states = ("running", "error", "total", "starting", "idle", "lost")
    values = [
        Value(f"grids.edge.clouds.c{cloud}.vms.t{vmtype}.{state}", 1.0, now)
        for cloud in range(clouds) for vmtype in range(6) for state in states
    ]  # fmt: skip
    write_polled(state_dir, Polled(now, values))
    write_outcome(state_dir, PollOutcome(finished_at=now, succeeded_at=now))
    (state_dir / "alerts.toml").write_text(f'[channels]\nhook = "json://127.0.0.1:{port}"\n')
    message = OutMessage("bench-1", "firing", "hook", "bench", "[WARNING] bench", "A message.")
    with open_store(state_dir) as store:
        store.outbox.queue([message], now)


def _watch(state_dir: Path) -> tuple[float, float]:
    """The most that the page took alone, and with its sender."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = {
        "WEBAPP_STATE_DIR": str(state_dir), "WEBAPP_PORT": str(port), "MALLOC_ARENA_MAX": "1",
        "WEBAPP_ALERTS_FILE": str(state_dir / "alerts.toml"), "WEBAPP_GRAPHITE_URL": "http://127.0.0.1:1",
        "WEBAPP_LOG_LEVEL": "ERROR",
    }  # fmt: skip
    page = subprocess.Popen([sys.executable, "-m", "webapp"], env={**os.environ, **given})
    alone = sending = 0.0
    try:
        until = time.monotonic() + PATIENCE_S
        asked = 0
        while time.monotonic() < until:
            has_sender = bool(read_children(page.pid))
            used = read_tree_pss_mb(page.pid)
            if has_sender:
                sending = max(sending, used)
            else:
                alone = max(alone, used)
            if asked < 50:
                asked += _ask(f"http://127.0.0.1:{port}/grids/edge")
            if sending and not has_sender and asked >= 50:
                return alone, sending
            time.sleep(0.02)
    finally:
        page.terminate()
        page.wait()
    raise SystemExit("the page has sent nothing")


def _ask(url: str) -> int:
    try:
        return int(requests.get(url, timeout=5).ok)
    except requests.RequestException:
        return 0


def _answer_late(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        time.sleep(HELD_S)
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
