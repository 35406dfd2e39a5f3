"""Cloud Scheduler 2 from captured answers: limits, groups, flavours, rubbish."""

from __future__ import annotations

from cloud_monitor.metrics.paths import clean
from collector.model import CloudVm
from collector.sources.cloudscheduler import v2
from tests.collector.support import DATA

V2 = (DATA / "cloudscheduler/v2_cloud_status.json").read_text()


LARGE, SMALL = clean("m1.large"), clean("m1.small")


V2_VMS = (DATA / "cloudscheduler/v2_vm_list.json").read_text()


def states(vms: tuple[CloudVm, ...], cloud: str) -> list[str]:
    return [vm.status for vm in vms if vm.cloud == cloud]


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
