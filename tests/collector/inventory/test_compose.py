"""The inventory as a pure function of what the sources gave: counted it gives the cloud figures, and its body
keeps within its bound whatever the texts are."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_monitor.inventory import LIST_BYTES_MAX
from cloud_monitor.metrics.paths import clean
from cloud_monitor.system.text import one_line
from collector.clouds import cloud_values, live_host_values
from collector.inventory.compose import Inventory, ListedJob, ListedVm, compose_inventory
from collector.inventory.encode import encode_inventory
from collector.isolate import SourceOutcome
from collector.model import CloudVm, Collected, CondorJob, Machine, VmDetails, read_collected, write_collected
from collector.sources.cloudscheduler import v1, v2
from tests.collector.support import DATA, make_settings
from tests.services.short import examples

NOW = 1_700_000_040
GIVEN = {"inventory_url": "http://page", "inventory_token_file": "/token", "cloud_status_command": "x"}
V1 = (DATA / "cloudscheduler/v1.json").read_text()
V2_VMS = (DATA / "cloudscheduler/v2_vm_list.json").read_text()


def outcome(source: str, error: str | None = None, **collected: Any) -> SourceOutcome:
    """After its way through the pipe, as in a run."""
    return SourceOutcome(source, read_collected(write_collected(Collected(**collected))), error, 0.1)


def job(number: str, **fields: Any) -> CondorJob:
    row = dict(
        zip(CondorJob._fields, (number, "", "held", (), "", "", 1, 2, "", "", None, "", 0), strict=True)
    )
    return CondorJob(**row | fields)


def composed(*outcomes: SourceOutcome, **given: str) -> Inventory:
    return compose_inventory(make_settings(**GIVEN | given), outcomes, NOW)


def vms_of(inventory: Inventory) -> dict[str, ListedVm]:
    assert inventory.vms is not None
    assert len({vm.host for vm in inventory.vms}) == len(inventory.vms)
    return {vm.host: vm for vm in inventory.vms}


# From captured answers


def test_v1_vms_have_their_details_and_htcondors_view() -> None:
    machines = (
        Machine("VM-A.cern.example", busy_slots=2, slots=("slot1_1", "slot1_2", "slot1_3")),
        Machine("vm-b.cern.example"),
        Machine("gone.cern.example", cloud="cern", vmtype="atlas-wn", busy_slots=1, slots=("slot1_1",)),
        Machine("bare-metal.example", busy_slots=1, slots=("slot1_1",)),
    )
    scheduler = v1.parse_cloud_status(V1, "g", with_details=True)
    inventory = composed(
        outcome("cloudscheduler", vms=scheduler.vms, vm_details=scheduler.vm_details),
        outcome("condor_slots", machines=machines),
    )
    vms = vms_of(inventory)
    assert vms["vm-a.cern.example"] == ListedVm(
        host="vm-a.cern.example", machine="VM-A.cern.example", name="1f", cloud="cern", vmtype="atlas-wn",
        status="running", idle=False, registered=True, busy_slots=2, slots=3, since=1699990000,
        started_at=1699980000,
    )  # fmt: skip
    assert (vms["vm-b"].machine, vms["vm-b"].idle, vms["vm-b"].since) == ("vm-b.cern.example", True, None)
    lost = vms["gone.cern.example"]
    assert (lost.status, lost.registered, lost.idle, lost.cloud) == ("lost", True, False, "cern")
    assert "bare-metal.example" not in vms
    assert inventory.vms_total == len(scheduler.vms) + 1 == len(vms)
    assert inventory.vms is not None
    assert [vm.status for vm in inventory.vms[:2]] == ["lost", "error"]  # what wants to be seen comes first
    assert not inventory.vms_cut


def test_v2_says_itself_what_is_registered_where_htcondor_is_not_asked() -> None:
    rows = json.loads(V2_VMS)
    rows["vm_list"][0] |= {
        "vmid": "8c0f", "start_time": 1699980000, "status_changed_time": "1699990000",
        "condor_slots": 8, "condor_slots_used": 3,
    }  # fmt: skip
    rows["vm_list"][1] |= {"condor_slots": 0, "condor_slots_used": 0, "start_time": "soon", "vmid": None}
    found = v2.parse_vm_list(json.dumps(rows), "atlas", with_details=True)
    vms = vms_of(composed(outcome("cloudscheduler", vms=found.vms, vm_details=found.vm_details)))
    first = vms["atlas--cern--1"]
    assert (first.name, first.since, first.started_at) == ("8c0f", 1699990000, 1699980000)
    assert (first.registered, first.slots, first.busy_slots, first.idle) == (True, 8, 3, False)
    assert first.vmtype == clean("m1.large")
    assert (vms["atlas--cern--2"].idle, vms["atlas--cern--2"].started_at) == (True, None)
    assert vms["atlas--cern--3"].registered is False
    assert vms["atlas--cern--4"].registered is None  # starting: nobody asked
    assert "unnamed" in vms  # it has neither a host name nor an id


def test_without_the_setting_no_details_are_taken() -> None:
    assert v1.parse_cloud_status(V1, "g").vm_details == ()
    assert v2.parse_vm_list(V2_VMS).vm_details == ()
    assert set(json.loads(write_collected(Collected(vms=v1.parse_cloud_status(V1, "g").vms)))) == {
        "values", "machines", "placements", "vms", "complaints",
    }  # fmt: skip


# What is not known


def test_a_list_that_is_not_known_is_none_and_an_empty_one_is_not() -> None:
    failed = composed(
        outcome("cloudscheduler", "no"), outcome("condor_joblist", "no"), outcome("condor_jobs")
    )
    assert (failed.vms, failed.vms_total, failed.jobs, failed.jobs_total) == (None, None, None, None)
    empty = composed(
        outcome("cloudscheduler"),
        outcome("condor_slots"),
        outcome("condor_joblist"),
        outcome("condor_jobs", values=(("grids.g.jobs.all.held", 0.0), ("grids.g.jobs.all.total", 0.0))),
    )
    assert (empty.vms, empty.vms_total, empty.jobs, empty.jobs_total) == ((), 0, (), {"held": 0})
    assert json.loads(encode_inventory(failed))["vms"] is None
    assert json.loads(encode_inventory(empty))["jobs"] == []


def test_a_source_that_failed_in_part_may_have_kept_vms_from_the_list() -> None:
    vms = (CloudVm("c", "big", "running", ("a",)),)
    well = outcome("cloudscheduler", vms=vms)
    partial = outcome("cloudscheduler", "half", vms=vms, complaints=("half",))
    slots, no_slots = outcome("condor_slots"), outcome("condor_slots", "no")
    found = [composed(*outcomes) for outcomes in ((well, slots), (partial, slots), (well, no_slots))]
    assert [(len(one.vms or ()), one.vms_cut) for one in found] == [(1, False), (1, True), (1, True)]


def test_machines_without_an_answer_leave_htcondors_view_unknown() -> None:
    vms = vms_of(
        composed(
            outcome("cloudscheduler", vms=(CloudVm("c", "big", "running", ("a",)),)),
            outcome("condor_slots", "no"),
        )
    )
    assert (vms["a"].registered, vms["a"].idle, vms["a"].slots) == (None, None, None)


def test_a_pool_without_clouds_has_no_list_of_vms_and_clouds_by_attribute_have() -> None:
    machines = (Machine("n1.example", cloud="east", vmtype="vm"), Machine("n2.example"))
    slots = outcome("condor_slots", machines=machines)
    assert composed(slots, cloud_status_command="").vms is None
    by_attribute = composed(slots, cloud_status_command="", condor_cloud_attribute="Cloud")
    assert [(vm.host, vm.status, vm.idle) for vm in by_attribute.vms or ()] == [
        ("n1.example", "running", True)
    ]


# Jobs


def test_jobs_stand_on_the_hosts_and_clouds_of_the_list_of_vms() -> None:
    vms = (
        CloudVm("cern", "big", "running", ("vm-1", "vm-1.cern.example")),
        CloudVm("west", "big", "error", ("vm-2",)),
    )
    inventory = composed(
        outcome("cloudscheduler", vms=vms),
        outcome("condor_slots", machines=(Machine("VM-1.cern.example"), Machine("lost", cloud="cern"))),
        outcome(
            "condor_joblist",
            jobs=(
                job("1.0", status="running", host="VM-1.cern.example", last_host="vm-2.west.example"),
                job("1.1", host="", last_host="vm-2.west.example", types=("a", "b")),
                job("1.2", status="running", host="lost"),
                job("1.3", status="running", host="bare-metal.example"),
            ),
        ),
    )
    assert [(row.host, row.last_host, row.cloud) for row in inventory.jobs or ()] == [
        ("vm-1", "vm-2", "cern"), ("", "vm-2", "west"), ("lost", "", "cern"), ("bare-metal.example", "", ""),
    ]  # fmt: skip
    assert json.loads(encode_inventory(inventory))["jobs"][1] == {
        "id": "1.1", "schedd": "", "status": "held", "types": ["a", "b"], "user": "", "group": "",
        "queued_at": 1, "since": 2, "host": "", "last_host": "vm-2", "cloud": "west", "hold_code": None,
        "hold_reason": "", "starts": 0,
    }  # fmt: skip


def test_totals_are_those_of_the_metrics() -> None:
    values = {"all.held": 73_112.0, "all.running": 4.0, "all.total": 73_116.0, "short.held": 9.0}
    given = tuple((f"grids.g.jobs.{name}", value) for name, value in values.items())
    inventory = composed(
        outcome("condor_jobs", values=given), outcome("condor_joblist", jobs=(job("1.0"),), jobs_cut=True)
    )
    assert (inventory.jobs_total, inventory.jobs_cut) == ({"held": 73_112, "running": 4}, True)


# Properties

names = st.sampled_from(["c1", "c2"])
hosts = st.sampled_from([f"vm-{number}" for number in range(12)])
states = st.sampled_from(["running", "retiring", "error", "starting", "unknown"])
some_vms = st.lists(
    st.builds(CloudVm, names, names, states, hosts.map(lambda host: (host,))), unique_by=lambda vm: vm.hosts
)
some_machines = st.lists(
    st.builds(
        Machine,
        hosts.map(str.upper),
        st.sampled_from(["", "c1"]),
        st.just("c2"),
        st.integers(0, 1),
        st.sampled_from([(), ("slot1_1",)]),
    ),
    unique_by=lambda machine: machine.host,
)


@given(some_vms, some_machines, st.booleans())
def test_whoever_counts_the_list_gets_the_cloud_figures(
    vms: list[CloudVm], machines: list[Machine], has_scheduler: bool
) -> None:
    vms = vms if has_scheduler else []
    slots = outcome("condor_slots", machines=tuple(machines))
    scheduler = (outcome("cloudscheduler", vms=tuple(vms)),) if has_scheduler else ()
    inventory = composed(*scheduler, slots, condor_cloud_attribute="Cloud")
    figures = {
        path.removeprefix("grids.g.clouds."): value
        for path, value in cloud_values("g", vms, machines, None, has_scheduler=has_scheduler)
    }
    counted: Counter[str] = Counter()
    for vm in vms_of(inventory).values():
        kinds = ["lost.{}"] if vm.status == "lost" else [f"vms.{{}}.{vm.status}", "vms.{}.total"]
        kinds += ["idle.{}"] if vm.idle else []
        kinds += ["unreg.{}"] if vm.status == "running" and vm.registered is False else []
        counted.update(f"{vm.cloud}.{kind.format(vm.vmtype)}" for kind in kinds)
    of_types = {
        path: value
        for path, value in figures.items()
        if value and path.split(".")[1] in ("vms", "idle", "lost", "unreg") and path.split(".")[2] != "total"
    }
    assert counted == of_types


ambiguous = st.sampled_from(["vm-1", "vm-2", "vm-1.east.example", "vm-2.west.example", "vm-1.west.example"])
ambiguous_vms = st.lists(st.builds(CloudVm, names, names, states, st.lists(ambiguous, max_size=2).map(tuple)))
ambiguous_machines = st.lists(
    st.builds(
        Machine,
        ambiguous,
        st.sampled_from(["", "c1"]),
        st.just("c2"),
        st.integers(0, 1),
        st.just(("slot1_1",)),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    unique_by=lambda machine: machine.host,
)


@given(ambiguous_vms, ambiguous_machines, st.randoms(use_true_random=False))
def test_names_that_are_not_one_to_one_do_not_depend_on_the_order(
    vms: list[CloudVm], machines: list[Machine], order: Random
) -> None:
    """And whoever counts the list gets the figures, as above."""
    test_whoever_counts_the_list_gets_the_cloud_figures.hypothesis.inner_test(vms, machines, True)
    shuffled = order.sample(vms, len(vms)), order.sample(machines, len(machines))
    figures, others = (
        (
            dict(cloud_values("g", *lists, None, has_scheduler=True)),
            dict(live_host_values("g", *lists, (), 100)),
        )
        for lists in ((vms, machines), shuffled)
    )
    assert figures == others


texts = st.text(max_size=400) | st.sampled_from(["<script>", "x" * 100_000, "\x00\u202e\ud800", "😀" * 500])


@settings(max_examples=examples(60))
@given(
    st.lists(st.builds(CloudVm, names, names, states, st.tuples(texts, texts)), max_size=20),
    st.lists(st.tuples(texts, texts), max_size=20),
    st.integers(300, 30_000),
)
def test_the_body_keeps_within_its_bound_and_says_what_it_lacks(
    vms: list[CloudVm], reasons: list[tuple[str, str]], bytes_max: int
) -> None:
    details = tuple(VmDetails(name=vm.hosts[1]) for vm in vms)
    jobs = tuple(listed(f"{number}.0", user, reason) for number, (user, reason) in enumerate(reasons))
    whole = composed(outcome("cloudscheduler", vms=tuple(vms), vm_details=details))
    inventory = Inventory(NOW, whole.vms, whole.vms_total, False, jobs, {"held": len(jobs)}, False)
    body = encode_inventory(inventory, bytes_max)
    assert len(body) <= bytes_max
    found = json.loads(body)
    assert list(found) == [
        "version", "taken_at", "vms_total", "jobs_total", "vms_cut", "jobs_cut", "vms", "jobs",
    ]  # fmt: skip
    for name, rows in (("vms", whole.vms or ()), ("jobs", jobs)):
        as_json = json.loads(json.dumps([row._asdict() for row in rows]))
        assert found[name] == as_json[: len(found[name])]
        assert found[f"{name}_cut"] == (len(found[name]) < len(rows))
    for row in found["vms"]:
        assert all(len(text) <= 300 and text.isprintable() for text in row.values() if isinstance(text, str))


def listed(number: str, user: str, reason: str) -> ListedJob:
    shown = one_line(user), one_line(reason)
    return ListedJob(number, "", "held", (), shown[0], "", 1, 2, "", "", "", 1, shown[1], 0)


def test_the_largest_lists_that_may_be_asked_for_keep_within_the_bound() -> None:
    wide = "😀" * 300
    jobs = [
        ListedJob(f"{number}.0", wide, "held", ("t",) * 32, wide, wide, 1, 2, wide, wide, "c", 1, wide, 0)
        for number in range(10_000)
    ]
    vms = [
        ListedVm(f"{number}", wide, wide, "c", "t", "running", None, None, 1, 1, 1, 1)
        for number in range(20_000)
    ]
    inventory = Inventory(NOW, tuple(vms), len(vms), False, tuple(jobs), {"held": 10_000}, False)
    body = encode_inventory(inventory)
    assert LIST_BYTES_MAX - 10_000 < len(body) <= LIST_BYTES_MAX
    found = json.loads(body)
    assert found["vms_cut"]
    assert found["jobs_cut"]
    assert min(len(found["vms"]), len(found["jobs"])) > 200


@pytest.mark.parametrize("maximum", ["0", "3"])
def test_a_maximum_of_vms_keeps_those_with_a_problem(maximum: str) -> None:
    scheduler = v1.parse_cloud_status(V1, "g", with_details=True)
    inventory = composed(outcome("cloudscheduler", vms=scheduler.vms), inventory_vms_max=maximum)
    statuses = [vm.status for vm in inventory.vms or ()]
    assert statuses == ["error", "unknown", "unknown"][: int(maximum)]
    assert inventory.vms_cut
    assert inventory.vms_total == len(scheduler.vms)
