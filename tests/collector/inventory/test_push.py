"""Whole runs that send the inventory: what the page gets, and that no fault of it touches Carbon's points."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.collector.inventory.page import TOKEN, answer, failing_page, page, read_request
from tests.collector.support import DATA, collector_environment, peer, read_to_end, run_collector
from tests.services.support import in_time

QUICK = {"CONNECT_TIMEOUT_S": 1, "WRITE_TIMEOUT_S": 1}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    return file


def environment_of(tmp_path: Path, carbon: str, url: str, **settings: object) -> dict[str, str]:
    return collector_environment(
        tmp_path / "state", carbon,
        **{
            "SOURCES": "cloudscheduler", "CLOUD_STATUS_COMMAND": f"/bin/cat {DATA}/cloudscheduler/v1.json",
            "INVENTORY_URL": url, "INVENTORY_TOKEN_FILE": tmp_path / "token",
        } | settings,
    )  # fmt: skip


def test_the_page_gets_the_list_with_the_secret(tmp_path: Path, token_file: Path) -> None:
    with page() as (url, taken), peer(read_to_end) as carbon:
        ended = run_collector("--print", environment=environment_of(tmp_path, carbon, f"{url}/monitor/"))
    assert ended.returncode == 1  # one cloud has a quota of "many"
    assert "inventory" not in ended.stderr
    (request,) = taken
    assert (request.method, request.path) == ("PUT", "/monitor/api/inventory/g")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-encoding"] == "gzip"
    body = request.json()
    assert (body["version"], body["vms_total"], len(body["vms"]), body["jobs"]) == (1, 20, 20, None)
    (timestamp,) = {line.split()[2] for line in ended.stdout.splitlines()}
    assert body["taken_at"] == int(timestamp)
    assert body["vms"][0].keys() == {
        "host", "machine", "name", "cloud", "vmtype", "status", "idle", "registered", "busy_slots", "slots",
        "since", "started_at",
    }  # fmt: skip


@pytest.mark.parametrize("switch", [{"INVENTORY_URL": ""}, {"OWNER": "false"}])
def test_without_the_setting_or_on_a_further_host_nothing_is_sent(
    tmp_path: Path, token_file: Path, switch: dict[str, str]
) -> None:
    with page() as (url, taken), peer(read_to_end) as carbon:
        environment = environment_of(tmp_path, carbon, url, **switch)
        run_collector(environment=environment)
        run_collector("--check", environment=environment)
    assert taken == []


def test_without_the_setting_nothing_of_it_is_even_imported(tmp_path: Path, token_file: Path) -> None:
    def imported(url: str) -> set[str]:
        environment = environment_of(tmp_path, carbon, url, SOURCES="host") | {"PYTHONPROFILEIMPORTTIME": "1"}
        ended = run_collector(environment=environment)
        assert ended.returncode == 0, ended.stderr
        return {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}

    own = {
        "collector.inventory.compose",
        "collector.inventory.encode",
        "collector.inventory.push",
        "http.client",
    }
    with page() as (url, _), peer(read_to_end) as carbon:
        assert imported(url) >= own
        assert imported("") & own == set()


def test_a_dry_run_sends_nothing(tmp_path: Path, token_file: Path) -> None:
    with page() as (url, taken), peer(read_to_end) as carbon:
        for arguments in (("--dry-run",), ("--dry-run", "--json")):
            assert run_collector(*arguments, environment=environment_of(tmp_path, carbon, url)).stdout
    assert taken == []


def stall(connection: socket.socket) -> None:
    read_request(connection)
    threading.Event().wait()


def drip(connection: socket.socket) -> None:
    """An answer that never ends, each byte in time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.2)


def reset(connection: socket.socket) -> None:
    connection.recv(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def talk_otherwise(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def say_too_large(connection: socket.socket) -> None:
    """Answers before it has read the body, as servers do whose limit the length passes."""
    connection.recv(100)
    connection.sendall(answer("413 Content Too Large", "at most 4 MiB"))


@pytest.mark.parametrize(
    ("handle", "told"),
    [
        (stall, "no answer while waiting for its answer"),
        (lambda _: threading.Event().wait(), "no answer while waiting for its answer"),
        (drip, "no answer by the end of the run"),
        (reset, "(sending|waiting for its answer)"),
        (talk_otherwise, "SSH-2.0-OpenSSH_9.2"),
        (lambda _: None, "(without response|reset by peer)"),
        (say_too_large, "HTTP 413 Content Too Large: at most 4 MiB"),
    ],
)
def test_a_page_that_fails_is_named_and_carbon_has_its_points(
    tmp_path: Path, token_file: Path, handle: Callable[[socket.socket], None], told: str
) -> None:
    with failing_page(handle) as url:
        check_failed_push(tmp_path, url, told)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (answer("403 Forbidden"), "HTTP 403 Forbidden: the secret in COLLECTOR_INVENTORY_TOKEN_FILE is not"),
        (answer("404 Not Found", "<html>"), "HTTP 404 Not Found: the page takes no inventory"),
        (answer("400 Bad Request", "vms[3].host: a text"), "HTTP 400 Bad Request: vms[3].host: a text"),
        (answer("400 No", '{"error": {"code": "x", "message": "jobs[0].id"}}'), "HTTP 400 No: jobs[0].id"),
        (answer("500 Oh", '{"error": "x"}'), 'HTTP 500 Oh: {"error": "x"}'),
        (answer("500 Oh", "<!doctype html>"), "HTTP 500 Oh"),
        (answer("200 OK", "<html>hotspot: log in</html>"), "HTTP 200 OK"),
        (answer("503 \x1b[31m", "\x07" + "x" * 9000), "HTTP 503 [31m: xxx"),
        (
            answer("302 Found", headers="Location: https://elsewhere.example/\r\n"),
            "HTTP 302 Found to https://elsewhere.example/: give the address itself",
        ),
    ],
)
def test_an_answer_that_is_none_is_told(tmp_path: Path, token_file: Path, reply: bytes, told: str) -> None:
    with page(reply) as (url, taken):
        check_failed_push(tmp_path, url, re.escape(told))
    assert len(taken) == 1  # nobody else was asked


def check_failed_push(tmp_path: Path, url: str, told: str, **settings: object) -> None:
    """The run ends in time with one line about the page; Carbon had its points before that."""
    delivered: list[float] = []

    def take(connection: socket.socket) -> None:
        assert b"heartbeat" in read_to_end(connection)
        delivered.append(time.monotonic())

    started = time.monotonic()
    with peer(take) as carbon:
        ended = run_collector(environment=environment_of(tmp_path, carbon, url, **QUICK | settings))
    assert in_time(time.monotonic() - started, 15)
    assert len(delivered) == 1
    assert in_time(delivered[0] - started, 10)
    assert ended.returncode == 1
    lines = [line for line in ended.stderr.splitlines() if "well again" not in line]
    (line,) = [line for line in lines if "/api/inventory/" in line or "INVENTORY" in line]
    assert line.startswith("collector: ERROR: ")
    assert re.search(told, line)
    assert line.isprintable()
    assert TOKEN not in ended.stderr


def test_nothing_listens(tmp_path: Path, token_file: Path) -> None:
    check_failed_push(
        tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:1/api/inventory/g: connection refused"
    )
    check_failed_push(tmp_path, "http://no.such.host.invalid", "no.such.host.invalid")


def test_a_page_that_is_being_restarted_is_asked_again(tmp_path: Path, token_file: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # refuses until it listens
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        threading.Timer(3, listener.listen).start()
        taken = []

        def serve() -> None:
            time.sleep(3.1)
            connection, _ = listener.accept()
            with connection:
                taken.append(read_request(connection))
                connection.sendall(answer("204 No Content"))

        threading.Thread(target=serve, daemon=True).start()
        with peer(read_to_end) as carbon:
            environment = environment_of(tmp_path, carbon, url, CONNECT_TIMEOUT_S=10)
            ended = run_collector(environment=environment)
    assert len(taken) == 1
    assert "/api/inventory/" not in ended.stderr


def test_a_dead_carbon_does_not_hold_the_inventory(tmp_path: Path, token_file: Path) -> None:
    with page() as (url, taken):
        ended = run_collector(environment=environment_of(tmp_path, "127.0.0.1:1", url, **QUICK))
    assert ended.returncode == 3
    assert len(taken) == 1


def test_tls_with_a_trusted_certificate_and_with_a_strangers(
    tmp_path: Path, token_file: Path, certificates: Path
) -> None:
    with page(tls=certificates / "server.pem") as (url, taken), peer(read_to_end) as carbon:
        environment = environment_of(tmp_path, carbon, url, INVENTORY_CA_FILE=certificates / "ca.pem")
        assert "/api/inventory/" not in run_collector(environment=environment).stderr
        check_failed_push(tmp_path, url, "its certificate is not trusted: unable to get local issuer")
        missing = "COLLECTOR_INVENTORY_CA_FILE=/no/such: No such file"
        check_failed_push(tmp_path, url, missing, INVENTORY_CA_FILE="/no/such")
    assert len(taken) == 1
    with page(tls=certificates / "stranger.pem") as (url, taken):
        check_failed_push(
            tmp_path, url, "not trusted: self-signed certificate", INVENTORY_CA_FILE=certificates / "ca.pem"
        )
    assert taken == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file or directory: the inventory cannot be sent"),
        (b"", "is not a secret of visible ASCII characters"),
        (b"\n" + TOKEN.encode(), "is not a secret of visible ASCII characters"),
        (b"two words", "is not a secret"),
        (b"bad\r\nX-Header: 1"[:3] + b"\xff\n", "is not a secret"),
    ],
)
def test_a_secret_that_is_none_is_named_and_nothing_is_sent(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with page() as (url, taken):
        check_failed_push(tmp_path, url, f"COLLECTOR_INVENTORY_TOKEN_FILE={tmp_path}/token: .*{told}")
    assert taken == []


def test_check_shows_the_page_as_a_destination(tmp_path: Path, token_file: Path) -> None:
    def rows(url: str, carbon: str) -> dict[tuple[str, str], str]:
        ended = run_collector("--check", "--json", environment=environment_of(tmp_path, carbon, url, **QUICK))
        found = map(json.loads, ended.stdout.splitlines())
        return {(row["name"], row["level"]): row["text"] for row in found if row["kind"] == "destination"}

    with page(answer("200 OK", "{}")) as (url, taken), peer(read_to_end) as carbon:
        shown = rows(url, carbon)
        assert shown[f"{url}/api/inventory/g", "ok"] == "would take the list of VMs and jobs"
        assert not any(level == "warning" for _, level in shown)
        token_file.chmod(0o644)
        assert "chmod o-r" in rows(url, carbon)[str(token_file), "warning"]
    assert {(request.method, request.body) for request in taken} == {("GET", b"")}
    with page(answer("403 Forbidden")) as (url, _), peer(read_to_end) as carbon:
        assert "HTTP 403" in rows(url, carbon)[f"{url}/api/inventory/g", "failed"]
