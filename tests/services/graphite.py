"""A real Carbon and a real graphite-web on free loopback ports, to be stopped, killed and started at will."""

from __future__ import annotations

import os
import pickle
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from embedded import store
from embedded.install import NoPython, install
from tests.services import ask
from tests.services.needs import need
from tests.services.shared import run_folder, share
from tests.services.support import PATIENCE_S, absent, free_port, listens, stop_process, wait_until

TEST_RETENTIONS = "60s:3d"


class Graphite:
    """Carbon (`carbon`, `plain`: "host:port" for pickle, lines) and graphite-web (`url`) over a folder."""

    def __init__(self, root: Path, env: Path, ports: store.Ports) -> None:
        self.root = root
        self.whisper_dir = root / "storage/whisper"
        self.ports = ports
        self.carbon = f"127.0.0.1:{self.ports.pickle}"
        self.plain = f"127.0.0.1:{self.ports.line}"
        self.url = f"http://127.0.0.1:{self.ports.web}"
        self.environment = env
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def configure(self, retentions: str) -> None:
        """Write the folder's configuration, before the first start."""
        store.configure(self.root, self.environment, self.ports, retentions)

    def start_carbon(self) -> None:
        """Start Carbon and wait until all of its ports answer."""
        # A Carbon that was killed leaves its pid file, and the next one would refuse to start.
        (self.root / "carbon.pid").unlink(missing_ok=True)
        self._start(
            "carbon", store.carbon_command(self.environment, self.root), store.carbon_environment(self.root)
        )
        for port in (self.ports.pickle, self.ports.line, self.ports.query):
            wait_until(lambda port=port: self._alive("carbon") and listens(port), f"Carbon on port {port}")

    def stop_carbon(self) -> None:
        """SIGTERM and wait for the exit: Carbon writes its cache first, and shares its port while it does."""
        self._stop("carbon")

    def kill_carbon(self) -> None:
        """SIGKILL: what was only in the cache is lost."""
        self._processes["carbon"].kill()
        self._stop("carbon")

    def restart_carbon(self) -> None:
        self.stop_carbon()
        self.start_carbon()

    def start_web(self) -> None:
        """Start graphite-web and wait until it has answered a render."""
        environment = store.web_environment(self.root / "storage", self.ports.query)
        self._start("web", store.web_command(self.environment, self.ports.web), environment)
        wait_until(
            lambda: self._alive("web") and listens(self.ports.web), f"graphite-web on port {self.ports.web}"
        )
        assert self.render("nothing") == []

    def stop_web(self) -> None:
        self._stop("web")

    def start(self) -> None:
        self.start_carbon()
        self.start_web()

    def stop(self) -> None:
        self.stop_web()
        self.stop_carbon()

    def render(self, *targets: str, since: str = "-10min", until: str = "now") -> list[dict[str, object]]:
        """Render as JSON: dictionaries with "target" and "datapoints" ([value, timestamp] pairs)."""
        parameters = {"target": list(targets), "from": since, "until": until, "format": "json"}
        for _ in range(10):
            answer = ask.post(f"{self.url}/render", data=parameters)
            if answer.status_code != 500 or "Unable to read header" not in answer.text:
                break
            time.sleep(0.2)  # graphite-web met a file that Carbon had only begun to write
        answer.raise_for_status()
        series: list[dict[str, object]] = answer.json()
        return series

    def log(self, name: str) -> str:
        """What "carbon" or "web" has printed so far."""
        return (self.root / f"{name}.log").read_text(errors="replace")

    def pid(self, name: str) -> int:
        """Process id of "carbon" or "web"."""
        return self._processes[name].pid

    def _start(self, name: str, command: list[str], variables: dict[str, str]) -> None:
        assert name not in self._processes, f"{name} is running already"
        with open(self.root / f"{name}.log", "ab") as log:
            self._processes[name] = subprocess.Popen(
                command, env=os.environ | variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _alive(self, name: str) -> bool:
        status = self._processes[name].poll()
        assert status is None, f"{name} ended with status {status}:\n{self.log(name)[-2000:]}"
        return True

    def _stop(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process is not None:
            stop_process(process)


def push(carbon: str, path: str, value: float, timestamp: int) -> None:
    """Send one point to a pickle receiver ("host:port") and see the close that shows that it was read."""
    host, port = carbon.split(":")
    body = pickle.dumps([(path, (timestamp, value))], 2)
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        connection.sendall(struct.pack("!L", len(body)) + body)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def environment() -> Path:
    """The folder of the environment that Carbon and graphite-web are installed in."""
    need("graphite")
    try:
        return install()
    except (NoPython, OSError, subprocess.CalledProcessError) as cause:
        absent(f"Carbon and graphite-web could not be installed: {cause}")


@contextmanager
def run_graphite(root: Path, web: bool = True, retentions: str = TEST_RETENTIONS) -> Iterator[Graphite]:
    """A Graphite of the caller's own under `root`, to be stopped or filled; `web=False` for Carbon alone."""
    env = environment()
    ports = store.Ports(pickle=free_port(), query=free_port(), web=free_port(), line=free_port())
    graphite = Graphite(root, env, ports)
    graphite.configure(retentions)
    try:
        graphite.start_carbon()
        if web:
            graphite.start_web()
        yield graphite
    finally:
        graphite.stop()


@pytest.fixture(scope="session")
def carbon_python() -> Path:
    """The interpreter that Carbon's own modules can be imported in."""
    return environment() / "bin/python"


@pytest.fixture(scope="session")
def graphite(tmp_path_factory: pytest.TempPathFactory) -> Graphite:
    """One Graphite for all tests that leave it running: write under names of your own."""

    def describe(service: Graphite) -> dict[str, Any]:
        return {"root": str(service.root), "ports": asdict(service.ports)}

    def attach(told: dict[str, Any]) -> Graphite:
        return Graphite(Path(told["root"]), environment(), store.Ports(**told["ports"]))

    return share(run_folder(tmp_path_factory), "graphite", run_graphite, describe, attach)


@pytest.fixture
def own_graphite(tmp_path: Path) -> Iterator[Graphite]:
    """A Graphite of the test's own, to stop, kill and start at will."""
    with run_graphite(tmp_path / "graphite") as service:
        yield service
