"""Cloud Scheduler 1 from captured answers: every state, empty clouds, odd types, rubbish."""

from __future__ import annotations

import json

import pytest

from cloud_monitor.metrics.paths import clean
from collector.model import CloudVm
from collector.sources.cloudscheduler import v1
from collector.sources.cloudscheduler.fields import NotCloudStatus
from tests.collector.support import DATA

V1 = (DATA / "cloudscheduler/v1.json").read_text()


AZURE = clean("azure west")


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
