"""Cloud Scheduler asked by its command, and by HTTP."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from collector.sources.cloudscheduler.client import CloudSchedulerFailed, collect
from collector.sources.cloudscheduler.fields import NotCloudStatus
from collector.sources.programs import ProgramFailed
from tests.collector.support import DATA, make_settings, peer, write_script

V2 = (DATA / "cloudscheduler/v2_cloud_status.json").read_text()


V2_VMS = (DATA / "cloudscheduler/v2_vm_list.json").read_text()


def test_v1_command_is_started_with_its_option_and_without_a_shell(tmp_path: Path) -> None:
    script = write_script(
        tmp_path / "cloud_status", f'[ "$1" = -aj ] && exec cat {DATA}/cloudscheduler/v1.json'
    )
    assert len(collect(make_settings(cloud_status_command=str(script))).vms) == 20
    write_script(script, "echo no cloud scheduler here >&2; exit 3")
    with pytest.raises(ProgramFailed, match=r"cloud_status: ended with status 3: no cloud scheduler here"):
        collect(make_settings(cloud_status_command=str(script)))
    with pytest.raises(ProgramFailed, match=r"/no/such: No such file"):
        collect(make_settings(cloud_status_command="/no/such -aj"))


def answer(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def test_v2_is_asked_with_credentials_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("monitor:pass:word\n")
    requests: list[str] = []

    def serve(connection: socket.socket) -> None:
        requests.append(connection.recv(65536).decode())
        connection.sendall(answer("200 OK", V2_VMS if "/vm/list/" in requests[-1] else V2))

    with peer(serve) as address:
        settings = make_settings(
            cloudscheduler_url=f"http://{address}",
            cloudscheduler_group="atlas",
            cloudscheduler_credentials_file=str(tmp_path / "secret"),
        )
        assert len(collect(settings).vms) == 8
    assert [line.split()[1] for line in requests] == ["/cloud/status/", "/vm/list/"]
    assert "Authorization: Basic bW9uaXRvcjpwYXNzOndvcmQ=" in requests[0]
    assert "Accept: application/json" in requests[0]
    assert "Referer: " in requests[0]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (answer("401 Unauthorized", ""), "HTTP 401 Unauthorized"),
        (
            answer("302 Found", "").replace(b"\r\n\r\n", b"\r\nLocation: http://elsewhere.example/\r\n\r\n"),
            "HTTP 302",
        ),
        (answer("200 OK", "<html>Log in</html>"), "not JSON with `cloud_status_list`"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n{", "not JSON"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0"),
    ],
)
def test_v2_failures_name_the_address_or_what_came(reply: bytes, problem: str) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(reply)

    with peer(serve) as address, pytest.raises((CloudSchedulerFailed, NotCloudStatus), match=problem):
        collect(make_settings(cloudscheduler_url=f"http://{address}"))
