"""`python -m webapp` as an operator starts it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud_monitor.settings import SettingsRefused
from tests.services import ask
from tests.services.pages import run_page
from tests.services.programs import run_program
from tests.services.support import free_port, wait_until
from webapp.settings import read_settings


def run(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WEBAPP_STATE_DIR": str(tmp_path / "state"), **variables}
    return run_program("webapp", *arguments, environment=environment)


def test_the_page_loads_nothing_that_it_may_not_need(tmp_path: Path) -> None:
    """A queue's, alerts' and telemetry's libraries, of which each takes it tens of MB."""
    source = (
        "import sys; from pathlib import Path; from webapp import create_app; "
        "from webapp.settings import read_settings; "
        "create_app(read_settings(state_dir=Path(sys.argv[1])), poll=False); "
        "print(*sorted(sys.modules.keys() & {'sqlalchemy', 'apprise', 'opentelemetry', 'numpy', 'yaml'}))"
    )
    command = [sys.executable, "-c", source, str(tmp_path)]
    started = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert started.stdout == "\n"


def test_it_serves_the_page_alone(tmp_path: Path) -> None:
    with run_page(tmp_path) as page:
        assert ask.get(f"{page.url}/").status_code == 200
        health = ask.get(f"{page.url}/health")
        assert (health.status_code, health.json()["status"]) == (503, "no data yet")
        wait_until(
            lambda: ask.get(f"{page.url}/health").json()["poll"]["error"],
            "a Graphite that is away is said to be",
            process=page.process,
        )


def test_connections_that_finish_no_request_shut_nobody_out(tmp_path: Path) -> None:
    with run_page(tmp_path) as page:
        port = int(page.url.rpartition(":")[2])
        with ExitStack() as held:
            for number in range(300):
                connection = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
                connection.sendall((b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n")[number % 3])
            assert ask.get(f"{page.url}/", timeout=60).status_code == 200


def test_a_taken_port_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run(tmp_path, WEBAPP_PORT=str(port))
    assert ended.returncode == 3
    assert f"port {port} " in ended.stderr
    assert "WEBAPP_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = run(tmp_path, WEBAPP_STATE_DIR=str(tmp_path / "file/state"), WEBAPP_PORT=str(free_port()))
    assert ended.returncode == 3
    assert "WEBAPP_STATE_DIR=" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"), ("PORT", "0"), ("PORT", "70000"), ("GRAPHITE_URL", "graphite:8080"),
        ("GRAPHITE_TIMEOUT_S", "-1"), ("STALE_AFTER_S", "soon"), ("LINKS", "Grafana"),
        ("LINKS", '[{"name": "x", "url": "javascript:alert(1)"}]'), ("LOG_LEVEL", "LOUD"),
        ("THREADS", "0"), ("POLL_EVERY_S", "0"),
    ],
)  # fmt: skip
def test_a_malformed_setting_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(f"WEBAPP_{name}", value)
        with pytest.raises(SettingsRefused) as refused:
            read_settings()
    assert f"WEBAPP_{name}" in str(refused.value)


def test_a_refused_setting_ends_the_program_with_2(tmp_path: Path) -> None:
    ended = run(tmp_path, WEBAPP_PORT="http")
    assert (ended.returncode, "WEBAPP_PORT='http'" in ended.stderr, "Traceback" in ended.stderr) == (
        2,
        True,
        False,
    )


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "webapp.toml"
    config.write_text(
        'port = 7001\nWEBAPP_TITLE = "Grids"\nlinks = [{name = "Wiki", url = "https://wiki.example/"}]\n'
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WEBAPP_PORT", "7002")
        found = read_settings(config=config)
    assert (found.port, found.title, found.links[0].name) == (7002, "Grids", "Wiki")


@pytest.mark.parametrize("text", ["port = ", "prot = 5000\n", "port = 'x'\n", "[webapp]\nport = 1\n"])
def test_a_malformed_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    config = tmp_path / "webapp.toml"
    config.write_text(text)
    with pytest.raises(SettingsRefused):
        read_settings(config=config)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    ended = run(tmp_path, "--config", str(tmp_path / "absent.toml"))
    assert (ended.returncode, "absent.toml" in ended.stderr) == (2, True)
