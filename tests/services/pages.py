"""The page as `python -m webapp` serves it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.services.support import free_port, listens, stop_process, wait_until

ROOT = Path(__file__).parents[2]


class ServedPage(NamedTuple):
    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def run_page(
    state_dir: Path, *, variables: Mapping[str, str] | None = None, **settings: object
) -> Iterator[ServedPage]:
    """Where no Graphite is, unless it is given. What it says is in `webapp.log` of its state folder, and
    shown with a test that fails. variables: further ones of its environment.
    """
    port = free_port()
    given = {"PORT": port, "STATE_DIR": state_dir, "GRAPHITE_URL": "http://127.0.0.1:1"} | settings
    named = {f"WEBAPP_{name}": str(value) for name, value in given.items()}
    environment = {**os.environ, **named, **(variables or {})}
    state_dir.mkdir(parents=True, exist_ok=True)
    said = state_dir / "webapp.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "webapp"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: listens(port), "the page", process=process, log=said)
        yield ServedPage(f"http://127.0.0.1:{port}", process)
    finally:
        stop_process(process)
        sys.stderr.write(said.read_text(errors="replace"))
