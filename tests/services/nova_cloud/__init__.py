"""A real OpenStack Nova on loopback, of the environment that `tools/install-nova` makes."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.made import ROOT
from tests.services.needs import need
from tests.services.support import absent, stop_process, wait_until

IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"  # that Nova's stand-in for Glance has


class Nova:
    """`url` is its API's; `started_s` how long it took to answer."""

    def __init__(self, url: str, started_s: float) -> None:
        self.url = url
        self.started_s = started_s

    def connection(self, **options: Any) -> Any:
        """Of openstacksdk, with a token that nobody looks at."""
        import openstack

        return openstack.connection.Connection(
            auth_type="admin_token",
            auth={"endpoint": self.url, "token": "of-nobody"},
            compute_endpoint_override=self.url,
            api_timeout=60,
            **options,
        )


@pytest.fixture(scope="session")
def nova() -> Iterator[Nova]:
    need("nova")
    made = subprocess.run([ROOT / "tools/install-nova"], capture_output=True, text=True, check=False)
    if made.returncode:
        absent(f"no Nova: {made.stderr.strip()[-300:]}")
    with tempfile.TemporaryDirectory(prefix="nova-") as folder:
        port, log = Path(folder, "port"), Path(folder, "log")
        began_s = time.monotonic()
        with log.open("wb") as out:
            command = [made.stdout.strip(), Path(__file__).with_name("serve.py"), port]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder)
        try:
            wait_until(lambda: port.exists() or process.poll() is not None, "Nova")
            if not port.exists():
                absent(f"Nova does not start: {log.read_text()[-500:]}")
            yield Nova(f"http://127.0.0.1:{port.read_text()}/v2.1", time.monotonic() - began_s)
        finally:
            stop_process(process)
