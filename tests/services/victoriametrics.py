"""A real VictoriaMetrics on free loopback ports, started as the edge profile starts it."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.services import ask
from tests.services.made import ROOT
from tests.services.needs import need
from tests.services.support import PATIENCE_S, absent, free_port, listens, stop_process, wait_until


class VictoriaMetrics:
    """`plain` is the "host:port" of plaintext points, `url` that of /render and its own pages."""

    def __init__(self, root: Path, *options: str) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._options = options
        self._http, self._graphite = free_port(), free_port()
        self.plain = f"127.0.0.1:{self._graphite}"
        self.url = f"http://127.0.0.1:{self._http}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until both ports answer."""
        addresses = [f"127.0.0.1:{port}" for port in (self._http, self._graphite)]
        command = [
            str(ROOT / "tools/start-victoriametrics"),
            str(self._root / "data"),
            *addresses,
            *self._options,
        ]
        with open(self._root / "store.log", "ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for port in (self._http, self._graphite):
            wait_until(lambda port=port: self._alive() and listens(port), f"VictoriaMetrics on port {port}")

    def stop(self) -> None:
        """SIGTERM and wait for the exit; what it holds is on disk then."""
        if self._process is not None:
            stop_process(self._process)

    def send(self, points: Iterable[tuple[str, float, int]]) -> None:
        """Send (path, value, timestamp) points; they show within seconds."""
        lines = "".join(f"{path} {value!r} {timestamp}\n" for path, value, timestamp in points)
        host, port = self.plain.split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
            connection.sendall(lines.encode())
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""

    def render(self, *targets: str, since: str = "-10min", until: str = "now") -> list[dict[str, object]]:
        """Render as JSON, as Graphite's fixture does."""
        parameters = {"target": list(targets), "from": since, "until": until, "format": "json"}
        answer = ask.get(f"{self.url}/render", params=parameters)
        answer.raise_for_status()
        series: list[dict[str, object]] = answer.json()
        return series

    def _alive(self) -> bool:
        assert self._process is not None
        status = self._process.poll()
        assert status is None, f"ended with status {status}: {(self._root / 'store.log').read_text()[-2000:]}"
        return True


def require_program() -> None:
    """Install VictoriaMetrics where it is missing; where that fails it is an absent service."""
    need("victoriametrics")
    tried = subprocess.run(
        [str(ROOT / "tools/install-victoriametrics")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    if tried.returncode != 0:
        absent(f"VictoriaMetrics: {tried.stderr.strip()}")


@pytest.fixture(scope="session")
def victoriametrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaMetrics]:
    """One VictoriaMetrics for all tests of a worker: write under names of your own."""
    require_program()
    store = VictoriaMetrics(tmp_path_factory.mktemp("victoriametrics"))
    try:
        store.start()
        yield store
    finally:
        store.stop()
