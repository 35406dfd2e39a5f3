"""Whatever the collector can make of hostile sources, the page takes: nobody's job costs a grid its list."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from typing import Any

import classad2
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_monitor.htcondor.ads import Ad
from collector.inventory.compose import compose_inventory
from collector.inventory.encode import encode_inventory
from collector.isolate import SourceOutcome
from collector.model import Collected, Machine, read_collected, write_collected
from collector.sources.cloudscheduler.v1 import parse_cloud_status as parse_v1
from collector.sources.cloudscheduler.v2 import parse_vm_list
from collector.sources.htcondor.joblist import read_job
from collector.sources.htcondor.jobtypes import JobTypes
from tests.collector.support import make_settings
from tests.services.short import examples
from webapp.inventory.payload import read_payload, unpack

NOW = 1_700_000_040
GIVEN = {"inventory_url": "http://page", "inventory_token_file": "/token", "cloud_status_command": "x"}

characters = st.characters(min_codepoint=0x20, exclude_categories=["Cs"])
texts = st.text(characters, max_size=30) | st.sampled_from(
    ["<script>alert(1)</script>", "x" * 3000, "\x01\x1b[31m", "\u202e", "😀" * 200, "slot1@ host@host", "a.b"]
)
numbers = st.integers(-(2**62), 2**62) | st.sampled_from([0, 1, 5, 1_700_000_000, 10**12])
odd = st.none() | texts | numbers | st.booleans() | st.floats()
v1_fields = ("hostname", "alt_hostname", "vmtype", "id", "status", "last_state_change", "initialize_time")
v2_fields = (
    "hostname",
    "machine",
    "flavor_name",
    "vmid",
    "poller_status",
    "status_changed_time",
    "start_time",
)
v2_fields += ("condor_slots", "condor_slots_used")
job_fields = ("Owner", "AccountingGroup", "QDate", "EnteredCurrentStatus", "RemoteHost", "LastRemoteHost")
job_fields += ("HoldReasonCode", "HoldReason", "NumJobStarts")


def rows_of(fields: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(fields, odd)), max_size=8)


def ad_of(number: int, status: object, row: dict[str, Any]) -> Ad:
    given = {name: value for name, value in row.items() if value is not None}
    return Ad(classad2.ClassAd({"ClusterId": number, "ProcId": 0, "JobStatus": status} | given))


def outcome(source: str, collected: Collected) -> SourceOutcome:
    return SourceOutcome(source, read_collected(write_collected(collected)), None, 0.1)


@settings(max_examples=examples(150), deadline=None)
@given(
    rows_of(v1_fields),
    rows_of(v2_fields),
    st.lists(st.tuples(texts, st.integers(0, 3)), max_size=6),
    rows_of(job_fields),
    st.lists(st.integers(0, 9), min_size=8, max_size=8),
    st.booleans(),
    st.sampled_from(["shown", "hashed", "hidden"]),
)
def test_the_page_takes_whatever_the_collector_makes(
    v1_rows: list[dict[str, Any]],
    v2_rows: list[dict[str, Any]],
    hosts: list[tuple[str, int]],
    job_rows: list[dict[str, Any]],
    statuses: list[int],
    is_v1: bool,
    users: str,
) -> None:
    given = make_settings(**GIVEN, condor_users=users)
    if is_v1:
        text = json.dumps({"resources": [{"name": "c d", "vms": v1_rows}]})
        vms = parse_v1(text, "g", with_details=True)
    else:
        text = json.dumps({"vm_list": [{"cloud_name": "c", "group_name": "a"} | row for row in v2_rows]})
        vms = parse_vm_list(text, with_details=True)
    machines = tuple(Machine(host, "c" if busy else "", "t", busy, ("slot1_1",)) for host, busy in hosts)
    types = JobTypes({"late": "QDate > 5", "long": "size(HoldReason) > 5"})
    jobs = tuple(
        read_job(ad_of(number, statuses[number], row), "schedd@\u202ex", types, given)
        for number, row in enumerate(job_rows)
    )
    outcomes = (
        outcome("cloudscheduler", vms),
        outcome("condor_slots", Collected(machines=machines)),
        outcome("condor_joblist", Collected(jobs=jobs)),
        outcome("condor_jobs", Collected(values=(("grids.g.jobs.all.held", float(len(jobs))),))),
    )
    inventory = compose_inventory(given, outcomes, NOW)
    payload = read_payload(unpack(gzip.compress(encode_inventory(inventory))))
    assert inventory.vms is not None
    assert inventory.jobs is not None
    for kind, rows in (("vms", inventory.vms), ("jobs", inventory.jobs)):
        taken = payload.lists[kind].records
        assert [asdict(record) for record in taken] == [row._asdict() for row in rows]
        assert len({record.key for record in taken}) == len(taken)
