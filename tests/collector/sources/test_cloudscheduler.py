"""Cloud Scheduler 1 and 2 from captured answers: every state, empty clouds, odd types, rubbish."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from cloud_monitor.metrics.paths import clean
from collector.model import CloudVm
from collector.sources.cloudscheduler import v1, v2
from collector.sources.cloudscheduler.client import CloudSchedulerFailed, collect
from collector.sources.cloudscheduler.fields import NotCloudStatus
from collector.sources.programs import ProgramFailed
from tests.collector.support import DATA, make_settings, peer, write_script

V1 = (DATA / "cloudscheduler/v1.json").read_text()
V2 = (DATA / "cloudscheduler/v2_cloud_status.json").read_text()
AZURE, LARGE, SMALL = clean("azure west"), clean("m1.large"), clean("m1.small")
V2_VMS = (DATA / "cloudscheduler/v2_vm_list.json").read_text()


def states(vms: tuple[CloudVm, ...], cloud: str) -> list[str]:
    return [vm.status for vm in vms if vm.cloud == cloud]


def test_v1_counts_every_state_and_calls_a_new_one_unknown() -> None:
    vms = v1.parse_cloud_status(V1, "g").vms
    assert states(vms, "cern") == [
        "running", "running", "retiring", "starting", "running", "error", "shutdown", "suspended", "stopped",
        "paused", "unknown", "unknown",
    ]  # fmt: skip
    assert states(vms, AZURE) == [
        "restarting", "stoprole", "suspending", "provisioning", "expiredproxy", "noproxy",
        "connectionrefused", "running",
    ]  # fmt: skip


def test_v1_gives_host_names_in_lower_case_and_none_where_there_is_none() -> None:
    cern = [vm for vm in v1.parse_cloud_status(V1, "g").vms if vm.cloud == "cern"]
    assert cern[0].hosts == ("vm-a.cern.example", "a-alt.cern.example")
    assert cern[1].hosts == ("vm-b",)
    assert cern[4].hosts == ()
    assert cern[-1].vmtype == "unknown"


def test_v1_gives_quota_and_state_of_clouds_also_from_text() -> None:
    collected = v1.parse_cloud_status(V1, "g")
    values = {path.removeprefix("grids.g.clouds."): value for path, value in collected.values}
    assert values == {
        "cern.enabled": 1, "cern.quota": 100, "cern.reachable": 1,
        f"{AZURE}.enabled": 1, f"{AZURE}.quota": 40, f"{AZURE}.reachable": 1,
        "otter.enabled": 0, "otter.quota": 0, "otter.reachable": 0,
        f"{clean('total')}.enabled": 1,
    }  # fmt: skip


def test_v1_tells_a_field_that_holds_no_number_and_goes_on() -> None:
    assert v1.parse_cloud_status(V1, "g").complaints == ("total: max_slots: 'many' is not a number",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Traceback (most recent call last):",
        "[]",
        "{}",
        '{"resources": 7}',
        '{"resources": [7]}',
        "[" * 99999,
    ],
)
def test_v1_refuses_rubbish_by_name(text: str) -> None:
    with pytest.raises(NotCloudStatus, match="cloud_status"):
        v1.parse_cloud_status(text, "g")


def test_v1_survives_clouds_and_vms_of_odd_shapes() -> None:
    odd = {"resources": [{"vms": []}, {"name": "a", "vms": 7}, {"name": "b", "vms": [7, {}]}, {"name": "a"}]}
    collected = v1.parse_cloud_status(json.dumps(odd), "g")
    assert collected.vms == (CloudVm("b", "unknown", "unknown"),)
    assert len(collected.complaints) == 3


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


def test_v2_gives_limits_and_leaves_out_what_is_unlimited_or_unset() -> None:
    collected = v2.parse_cloud_status(V2, "g", "atlas")
    values = {path.removeprefix("grids.g.clouds."): value for path, value in collected.values}
    assert values == {
        "cern.enabled": 1, "cern.reachable": 1, "cern.quota": 100,
        "cern.cores.native": 64, "cern.cores.foreign": 24, "cern.cores.quota": 800,
        "cern.memory_mb.native": 131072, "cern.memory_mb.foreign": 4096,
        "cern.memory_mb.limit": 262144, "cern.memory_mb.quota": 262144,
        "empty.enabled": 0, "empty.reachable": 0, "empty.cores.native": 0, "empty.cores.quota": 16,
    }  # fmt: skip


def test_v2_tells_clouds_of_two_groups_apart() -> None:
    collected = v2.parse_cloud_status(V2, "g")
    quotas = {path.split(".")[3]: value for path, value in collected.values if path.endswith(".quota")}
    assert {name[:10] for name in quotas} == {"atlas_cern", "belle_faul", "atlas_empt"}
    enabled = {
        path.split(".")[3][:10]: value for path, value in collected.values if path.endswith(".enabled")
    }
    assert enabled == {"atlas_cern": 1, "atlas_empt": 0, "belle_cern": 0, "belle_faul": 1}


def test_v2_without_the_list_of_vms_gives_their_sums() -> None:
    collected = v2.parse_cloud_status(V2, "g", "atlas", with_vms=True)
    prefix = "grids.g.clouds.cern."
    values = {path.removeprefix(prefix): value for path, value in collected.values if path.startswith(prefix)}
    states = {path: value for path, value in values.items() if path.startswith("vms.")}
    assert states == {
        "vms.vm.starting": 1, "vms.vm.running": 6, "vms.vm.retiring": 1, "vms.vm.manual": 1,
        "vms.vm.error": 2, "vms.vm.shutdown": 0, "vms.vm.unknown": 1, "vms.vm.total": 12,
    }  # fmt: skip
    assert (values["idle.total"], values["unreg.total"]) == (2, 1)


def test_v2_tells_a_number_that_is_none() -> None:
    collected = v2.parse_cloud_status(V2, "g", "belle", with_vms=True)
    assert collected.complaints == ("faulty: 'several' is not a number",)


def test_v2_lists_vms_by_flavour_without_foreign_ones() -> None:
    vms = v2.parse_vm_list(V2_VMS, "atlas").vms
    assert [(vm.vmtype, vm.status) for vm in vms] == [
        (LARGE, "running"), (LARGE, "running"), (LARGE, "running"),
        (SMALL, "starting"), (SMALL, "retiring"), (SMALL, "error"),
        (SMALL, "manual"), ("unknown", "unknown"),
    ]  # fmt: skip
    assert vms[0].hosts == ("atlas--cern--1", "atlas--cern--1.example.org")


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
