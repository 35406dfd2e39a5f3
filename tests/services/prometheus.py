"""A real Prometheus on a free loopback port, that scrapes nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.services.needs import find_program
from tests.services.support import PATIENCE_S, free_port, stop_process, wait_until


@contextmanager
def run_prometheus(folder: Path) -> Iterator[str]:
    """Its address meanwhile."""
    program = find_program("prometheus", "prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 60s}\n")
    port = free_port()
    command = [
        program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_ready() -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{port}/-/ready", timeout=PATIENCE_S).ok
        except requests.RequestException:
            return False

    try:
        wait_until(is_ready, "Prometheus", process=process, log=folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        stop_process(process)
