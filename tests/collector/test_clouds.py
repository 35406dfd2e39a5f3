"""The three-way comparison: Cloud Scheduler's VMs, HTCondor's machines, and what is only in one of them."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from collector.clouds import cloud_values, live_host_values
from collector.model import CloudVm, Machine, Placement

VMS = [
    CloudVm("cern", "big", "running", ("vm-1.cern.example", "alias-1")),
    CloudVm("cern", "big", "running", ("vm-2",)),
    CloudVm("cern", "big", "running", ("vm-3.cern.example",)),
    CloudVm("cern", "small", "running", ()),
    CloudVm("cern", "small", "retiring", ("vm-4.cern.example",)),
    CloudVm("cern", "small", "starting", ()),
    CloudVm("west", "big", "error", ("vm-5.west.example",)),
]
MACHINES = [
    Machine("VM-1.cern.example", busy_slots=2, slots=("slot1_1", "slot1_2"), mips=200, kflops=20),
    Machine("vm-2.cern.example", slots=(), mips=0),
    Machine("vm-4.cern.example", slots=("slot1_1",), mips=100),  # idle, but it retires
    Machine("gone.cern.example", cloud="cern", vmtype="big", slots=("slot1_1",)),
    Machine("gone.west.example", cloud="west"),
    Machine("bare-metal.example", busy_slots=1, slots=("slot1_1",)),
]


def values_of(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    listed = list(pairs)
    values = {path.removeprefix("grids.g.clouds."): value for path, value in listed}
    assert len(values) == len(listed)
    return values


def test_idle_lost_and_unregistered_per_vm_type() -> None:
    values = values_of(cloud_values("g", VMS, MACHINES, None, clouds={"empty"}, has_scheduler=True))
    compared = {
        path: value for path, value in values.items() if path.split(".")[1] in ("idle", "lost", "unreg")
    }
    assert {path: value for path, value in compared.items() if value} == {
        "cern.idle.big": 1,
        "cern.idle.total": 1,
        "cern.lost.big": 1,
        "cern.lost.total": 1,
        "west.lost.unknown": 1,
        "west.lost.total": 1,
        "cern.unreg.big": 1,
        "cern.unreg.small": 1,
        "cern.unreg.total": 2,
    }
    assert compared["empty.idle.total"] == compared["empty.lost.total"] == compared["empty.unreg.total"] == 0


def test_states_are_counted_per_type_with_zeros_for_the_common_ones() -> None:
    values = values_of(cloud_values("g", VMS, MACHINES, None, has_scheduler=True))
    small = {
        path.rpartition(".")[2]: value for path, value in values.items() if path.startswith("cern.vms.small.")
    }
    assert small == {
        "starting": 1,
        "running": 1,
        "retiring": 1,
        "error": 0,
        "shutdown": 0,
        "unknown": 0,
        "total": 3,
    }


def test_slots_mips_and_jobs_go_to_the_cloud_of_their_machine() -> None:
    placements = [
        Placement("VM-1.cern.example", "all", "running", 2),
        Placement("gone.cern.example", "all", "running", 1),
        Placement("VM-1.cern.example", "himem", "suspended", 1),
        Placement("bare-metal.example", "all", "running", 9),
    ]
    values = values_of(cloud_values("g", VMS, MACHINES, placements, has_scheduler=True))
    assert {path: value for path, value in values.items() if ".slots." in path} == {
        "cern.slots.big.slot1_1": 2,
        "cern.slots.big.slot1_2": 1,
        "cern.slots.small.slot1_1": 1,
    }
    assert (values["cern.mips"], values["cern.kflops"], values["west.mips"]) == (300, 20, 0)
    assert {path: value for path, value in values.items() if ".jobs." in path} == {
        "cern.jobs.all.running": 3,
        "cern.jobs.all.total": 3,
        "cern.jobs.himem.suspended": 1,
        "cern.jobs.himem.total": 1,
    }


def test_without_a_cloud_scheduler_the_startd_attribute_makes_the_clouds() -> None:
    values = values_of(cloud_values("g", (), MACHINES, None, has_scheduler=False))
    assert values["cern.vms.big.running"] == values["cern.idle.big"] == 1
    assert values["west.vms.unknown.total"] == 1
    assert not any(".lost." in path or ".unreg." in path for path in values)


def test_without_an_answer_of_htcondor_nothing_is_compared() -> None:
    values = values_of(cloud_values("g", VMS, None, None, has_scheduler=True))
    assert {path.split(".")[1] for path in values} == {"vms"}


@given(st.lists(st.sampled_from(VMS)), st.lists(st.sampled_from(MACHINES), unique=True))
def test_totals_are_the_sums_over_types(vms: list[CloudVm], machines: list[Machine]) -> None:
    values = values_of(cloud_values("g", vms, machines, None, has_scheduler=True))
    for key in ("idle", "lost", "unreg"):
        for cloud in {vm.cloud for vm in vms}:
            prefix = f"{cloud}.{key}."
            parts = {
                path.removeprefix(prefix): value for path, value in values.items() if path.startswith(prefix)
            }
            assert parts.pop("total") == sum(parts.values())


def live(vms: list[CloudVm], seen: Iterable[str] = (), hosts_max: int = 10) -> dict[str, float]:
    pairs = live_host_values("g", vms, [], list(seen), hosts_max)
    return {path.removeprefix("util.live_hosts.g."): value for path, value in pairs}


def test_live_hosts_are_running_and_retiring_vms_with_a_name() -> None:
    assert set(
        live([CloudVm("c", "t", state, (f"vm-{state}",)) for state in ("running", "retiring", "error")])
    ) == {
        "vm-running",
        "vm-retiring",
    }


def test_live_hosts_beyond_the_cap_are_summed_also_when_they_come_and_go() -> None:
    crowd = [CloudVm("c", "t", "running", (f"vm-{number:02d}",)) for number in range(8)]
    assert live(crowd, hosts_max=3) == {"vm-00": 1, "vm-01": 1, "vm-02": 1, "other": 5}
    seen = [f"util.live_hosts.g.old-{number}" for number in range(2)] + ["util.live_hosts.g.vm-07"]
    assert live(crowd, seen, hosts_max=3) == {"vm-07": 1, "other": 7}
    assert live([], ["util.live_hosts.g.other"], hosts_max=3) == {"other": 0}


def test_two_machine_names_of_one_vm_are_one_vm() -> None:
    """And a reused host name is that of the VM that runs, wherever the old one stands in the list."""
    vms = [
        CloudVm("east", "big", "running", ("vm-1",)),
        CloudVm("east", "big", "running", ("vm-2",)),
        CloudVm("east", "big", "error", ("vm-2",)),
        CloudVm("west", "big", "running", ("vm-3.west.example",)),
    ]
    machines = [
        Machine("vm-1", cloud="east"),
        Machine("vm-1.east.example", cloud="east", busy_slots=1),
        Machine("vm-2.east.example", cloud="east", busy_slots=1),
        Machine("vm-3", cloud="west"),
    ]
    for listed in (vms, vms[::-1]):
        values = values_of(cloud_values("g", listed, machines, None, has_scheduler=True))
        compared = ("idle", "lost", "unreg")
        found = {path: value for path, value in values.items() if path.split(".")[1] in compared and value}
        assert found == {"west.idle.big": 1, "west.idle.total": 1}
        live_hosts = {path for path, _ in live_host_values("g", listed, machines, (), 10)}
        assert len(live_hosts) == 3
