"""Starting the real collector, and peers that fail in a chosen way."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from cloud_monitor.metrics.paths import parse_path
from collector.settings import Settings, read_settings
from tests.services.programs import run_program
from tests.services.support import PATIENCE_S

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data"


def make_settings(state_dir: Path = Path("/nonexistent"), **settings: str) -> Settings:
    """Settings of a grid called g with one destination."""
    given = {"GRID": "g", "CARBON": "127.0.0.1:1", "STATE_DIR": str(state_dir)} | {
        name.upper(): value for name, value in settings.items()
    }
    return read_settings({f"COLLECTOR_{name}": value for name, value in given.items()})


def collector_environment(state_dir: Path, carbon: str, **settings: object) -> dict[str, str]:
    """The environment of a collector that sees nothing of this machine's own HTCondor."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("COLLECTOR_", "CONDOR_"))
    }
    given = {"GRID": "g", "CARBON": carbon, "STATE_DIR": state_dir, "SOURCES": "host"} | settings
    return kept | {f"COLLECTOR_{name}": str(value) for name, value in given.items()}


def run_collector(
    *arguments: str, environment: Mapping[str, str], timeout_s: float = PATIENCE_S
) -> subprocess.CompletedProcess[str]:
    """Run `python -m collector` to its end. Whatever it would send has to be in the catalog."""
    done = run_program("collector", *arguments, environment=environment, timeout_s=timeout_s)
    if "--dry-run" in arguments:
        for line in done.stdout.splitlines():
            parse_path(json.loads(line)["path"] if line.startswith("{") else line.split(" ")[0])
    return done


def write_script(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@contextmanager
def peer(handle: Callable[[socket.socket], None], family: int = socket.AF_INET) -> Iterator[str]:
    """A listening socket whose connections go to `handle`, one thread each; yields its "host:port"."""
    listener = socket.socket(family)
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    listener.bind((host, 0))
    listener.listen(16)

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            handle(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"{shown}:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def read_to_end(connection: socket.socket) -> bytes:
    data = bytearray()
    while chunk := connection.recv(1 << 16):
        data += chunk
    return bytes(data)
