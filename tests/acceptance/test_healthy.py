"""containers/healthy, the images' health check, by itself; in its images it is in test_containers.py."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.services.support import free_port

HEALTHY = Path(__file__).parents[2] / "containers/healthy"


def ask(*parts: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, HEALTHY, *parts],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("age_s", "code", "said"), [(60, 0, ""), (900, 1, "collector: no run has ended for")]
)
def test_a_collector_is_as_well_as_its_last_run_is_young(
    tmp_path: Path, age_s: int, code: int, said: str
) -> None:
    (tmp_path / "seen.json").write_text("{}")
    then = time.time() - age_s
    os.utime(tmp_path / "seen.json", (then, then))
    status, told = ask("collector", COLLECTOR_STATE_DIR=str(tmp_path))
    assert status == code
    assert told.startswith(said)


def test_a_collector_that_has_never_run_is_not_well(tmp_path: Path) -> None:
    status, told = ask("collector", COLLECTOR_STATE_DIR=str(tmp_path))
    assert status == 1
    assert "seen.json" in told


def test_a_page_that_does_not_answer_is_not_well_and_no_proxy_is_asked_for_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        status, told = ask("page", WEBAPP_PORT=str(free_port()), http_proxy=url)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    assert status == 1
    assert told.startswith("page: ")


def test_one_of_several_that_is_not_well_is_enough(tmp_path: Path) -> None:
    (tmp_path / "seen.json").write_text("{}")
    status, told = ask("collector", "page", COLLECTOR_STATE_DIR=str(tmp_path), WEBAPP_PORT=str(free_port()))
    assert status == 1
    assert told.startswith("page: ")
