"""A source that refuses, is silent, or answers rubbish: told, its heartbeat 0, the others delivered."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.collector.support import collector_environment, peer, run_collector, write_script
from tests.services.graphite import Graphite
from tests.services.support import in_time, wait_until


def check_run(graphite: Graphite, environment: dict[str, str], grid: str, told: str) -> None:
    started = time.monotonic()
    ended = run_collector("--print", environment=environment)
    assert in_time(time.monotonic() - started, 15)
    assert ended.returncode == 1, ended.stderr
    assert "cloudscheduler: " in ended.stderr
    assert told in ended.stderr
    values = {path: value for path, value, _ in (line.split() for line in ended.stdout.splitlines())}
    assert values[f"grids.{grid}.heartbeat.cloud_scheduler"] == "0"
    assert values[f"grids.{grid}.collector.failures"] == "1"
    wait_until(lambda: graphite.render(f"grids.{grid}.commands.tape.drives"), "the other source's point")


@pytest.mark.parametrize(
    ("fault", "text", "told"),
    [
        ("refuses", "echo Connection refused >&2; exit 1", "ended with status 1: Connection refused"),
        ("is silent", "exec sleep 600", "no answer within 2 s while running"),
        ("is silent with a child", "sleep 600 & sleep 600; wait", "no answer within 2 s while running"),
        ("answers rubbish", "echo '<html>Service Unavailable</html>'", "but '<html>Service Unavailable"),
        ("answers nothing", "true", "did not print JSON"),
        ("is binary", "head -c 100000 /dev/urandom", "did not print JSON"),
        ("never ends", "exec yes", "printed more than"),
    ],
)
def test_cloud_status(graphite: Graphite, tmp_path: Path, fault: str, text: str, told: str) -> None:
    grid = fault.replace(" ", "-")
    environment = collector_environment(
        tmp_path / "state",
        graphite.carbon,
        GRID=grid,
        SOURCES="cloudscheduler,commands",
        SOURCE_TIMEOUT_S=2 if "silent" in fault else 12,
        CLOUD_STATUS_COMMAND=str(write_script(tmp_path / "cloud_status", text)),
        COMMANDS="tape = /bin/echo drives 7",
    )
    check_run(graphite, environment, grid, told)


def wait_for_ever(connection: socket.socket) -> None:
    threading.Event().wait()


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("fault", "handle", "told"),
    [
        ("v2-refuses", None, "Connection refused"),
        ("v2-silent", wait_for_ever, "asking http://"),
        ("v2-drips", drip, "asking http://"),
        ("v2-rubbish", lambda connection: connection.sendall(b"SSH-2.0-x\r\n"), "SSH-2.0"),
    ],
)
def test_cloud_scheduler_2(
    graphite: Graphite, tmp_path: Path, fault: str, handle: Callable[[socket.socket], None] | None, told: str
) -> None:
    with peer(handle or wait_for_ever) as address:
        environment = collector_environment(
            tmp_path,
            graphite.carbon,
            GRID=fault,
            SOURCES="cloudscheduler,commands",
            SOURCE_TIMEOUT_S=2,
            CLOUDSCHEDULER_URL=f"http://{address if handle else '127.0.0.1:1'}",
            COMMANDS="tape = /bin/echo drives 7",
        )
        check_run(graphite, environment, fault, told)
