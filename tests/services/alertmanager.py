"""A real Alertmanager on free loopback ports, alone or one of a pair, to be killed and started."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.services.needs import find_program
from tests.services.support import PATIENCE_S, free_port, wait_until

CONFIG = """
route: {{receiver: hook, group_by: [place], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: "http://{hook}/", send_resolved: true}}]}}]
"""


class Alertmanager:
    def __init__(self, folder: Path, hook: str, cluster_port: int = 0, peers: tuple[int, ...] = ()) -> None:
        program = find_program("prometheus-alertmanager", "prometheus-alertmanager")
        folder.mkdir(parents=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "am.yml").write_text(CONFIG.format(hook=hook))
        cluster = ["--cluster.listen-address="]
        if cluster_port:
            cluster = [f"--cluster.listen-address=127.0.0.1:{cluster_port}", "--cluster.settle-timeout=2s"]
            cluster += [f"--cluster.peer=127.0.0.1:{peer}" for peer in peers]
        self._command = [
            program, f"--config.file={folder}/am.yml", f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", "--data.maintenance-interval=1s", *cluster,
        ]  # fmt: skip
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_until(self._is_ready, "Alertmanager")

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            return requests.get(f"{self.url}/-/ready", timeout=PATIENCE_S).ok
        except requests.RequestException:
            return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("alerts")
        return found

    def silence(self, ends_at: str, *matchers: dict[str, Any]) -> str:
        """Its id."""
        body = {
            "matchers": list(matchers), "startsAt": "2020-01-01T00:00:00Z", "endsAt": ends_at,
            "createdBy": "eva", "comment": "<b>on it</b>",
        }  # fmt: skip
        answer = requests.post(f"{self.url}/api/v2/silences", json=body, timeout=PATIENCE_S)
        answer.raise_for_status()
        return str(answer.json()["silenceID"])

    def unsilence(self, silence: str) -> None:
        requests.delete(f"{self.url}/api/v2/silence/{silence}", timeout=PATIENCE_S).raise_for_status()

    def _get(self, name: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v2/{name}", timeout=PATIENCE_S) as answer:
            return json.load(answer)


@contextmanager
def run_alertmanagers(folder: Path, hook: str, count: int = 1) -> Iterator[list[Alertmanager]]:
    """So many, which know of each other."""
    ports = [free_port() for _ in range(count)] if count > 1 else [0]
    found = [
        Alertmanager(folder / f"am{number}", hook, port, tuple(set(ports) - {port}))
        for number, port in enumerate(ports)
    ]
    try:
        for one in found:
            one.start()
        yield found
    finally:
        for one in found:
            one.kill()
