"""What the HTCondor sources say of a real pool equals what condor_q and condor_status say, counted here."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cloud_monitor.metrics.paths import clean
from collector.model import Collected
from collector.sources.top_n import REST
from tests.services.condor import CondorPool
from tests.services.support import wait_until

pytestmark = pytest.mark.timeout(300)  # real jobs on a machine that may be busy

HOST, CORES = "127-0-0-1.test.local", 8  # the pool's own machine
JOB_TYPES = {
    "mcore": ("RequestCpus > 1", lambda job: job["RequestCpus"] > 1),
    "iaas": ('regexp("^IAAS", TargetClouds)', lambda job: job.get("TargetClouds", "").startswith("IAAS")),
    "short": ("MY.MaxMinutes < 10", lambda job: job.get("MaxMinutes", 99) < 10),
    "nobodys": ('Owner == "nobody"', lambda job: False),
}
STATUS_NAMES = {
    1: "idle", 2: "running", 3: "removed", 4: "completed", 5: "held", 6: "transferring_output",
    7: "suspended",
}  # fmt: skip
ENVIRONMENT = {
    "COLLECTOR_GRID": "g",
    "COLLECTOR_CARBON": "127.0.0.1:1",
    "COLLECTOR_JOB_TYPES": "; ".join(f"{name} = {text}" for name, (text, _) in JOB_TYPES.items()),
    "COLLECTOR_CONDOR_CLOUD_ATTRIBUTE": "CloudProvider",
    "COLLECTOR_CONDOR_VMTYPE_ATTRIBUTE": "CloudVMType",
    "COLLECTOR_CONDOR_CLOUD_PATTERN": r"^(?P<cloud>127)-",
}
FAKE_SLOTS = [
    {"Name": "slot1@east-1.example", "SlotType": "Partitionable", "Cpus": 0, "Memory": 900, "GPUs": 1},
    {"Name": "slot1_1@east-1.example", "SlotType": "Dynamic", "State": "Claimed", "Activity": "Busy",
     "Cpus": 8, "Memory": 30000, "GPUs": 3},
    {"Name": "slot1@east-2.example", "SlotType": "Partitionable", "Cpus": 6, "Memory": 20000},
    {"Name": "slot1_7@east-2.example", "SlotType": "Dynamic", "State": "Preempting", "Activity": "Vacating",
     "Cpus": 2},
    {"Name": "slot1@west-1.example", "State": "Owner", "Cpus": 4},
    {"Name": "slot1@west-2.example", "State": "Drained", "Cpus": 4},
    {"Name": "slot1@west-3.example", "State": "Claimed", "Activity": "Suspended", "Cpus": 1},
    {"Name": "slot2@west-3.example", "State": "Claimed", "Activity": "Idle", "Cpus": 1, "SlotID": 2},
    {"Name": "slot1@hostile name.example", "State": "Something.New", "SlotType": "Odd Type"},
]  # fmt: skip


class Seen(NamedTuple):
    """One unchanging pool, as the sources and as the tools saw it."""

    jobs: list[dict[str, Any]]
    slots: list[dict[str, Any]]
    schedd: list[float]  # its figures as condor_status has them
    from_jobs: Collected
    from_slots: Collected
    between: tuple[float, float]  # times around the collection from the schedd


def collect(source: str, environment: dict[str, str]) -> Collected:
    """In a process of the pool."""
    from importlib import import_module

    from collector.settings import read_settings

    found: Collected = import_module(f"collector.sources.htcondor.{source}").collect(
        read_settings(environment), 0
    )
    return found


@pytest.fixture(scope="module")
def filled_pool(condor_pool: CondorPool) -> Iterator[CondorPool]:
    pool = condor_pool
    fill(pool)
    yield pool
    pool.remove_jobs()
    pool.invalidate_slots('regexp("example$", Machine)')


def fill(pool: CondorPool) -> None:
    pool.submit("alice", queue=3, MY_TargetClouds='"IAAS"', MY_MaxMinutes="5")
    pool.submit("bob", request_cpus="2", accounting_group="group_higgs.prod", accounting_group_user="bob")
    to_suspend = pool.submit("bob", MY_AccountingGroup='"group_mcore.someone"')
    pool.submit("alice", queue=4, requirements="false", MY_TargetClouds='"IAAS_MCORE"', request_cpus="8")
    waiting = pool.submit("carol.o'hara", queue=5, requirements="false")
    pool.submit("bob", queue=2, hold="true", request_cpus="4")
    to_hold = pool.submit("dave", requirements="false")
    pool.submit("dave", executable="/bin/true", arguments="", on_exit_hold="true")
    pool.submit("erin", queue=2, executable="/bin/true", arguments="", leave_in_queue="true")
    to_remove = pool.submit("erin", requirements="false", leave_in_queue="true")
    pool.tool("condor_hold", str(to_hold))
    pool.tool("condor_rm", str(to_remove))
    now = int(time.time())
    for process in range(5):
        pool.tool("condor_qedit", f"{waiting}.{process}", "QDate", str(now - 1000 * (process + 1)))
    expected = Counter({1: 9, 2: 5, 3: 1, 4: 2, 5: 4})
    wait_until(lambda: Counter(pool.statuses()) == expected, f"{expected} in the queue")
    pool.tool("condor_suspend", str(to_suspend))
    wait_until(lambda: pool.statuses(f"ClusterId == {to_suspend}") == [7], "a suspended job")
    pool.advertise_slots(
        {**ad, "Machine": str(ad["Name"]).split("@")[1], "Mips": 1000, "KFlops": 5,
         **({"CloudProvider": "East Cloud", "CloudVMType": "big"} if "@east" in str(ad["Name"]) else {}),
         **({"CloudProvider": "west"} if "@west" in str(ad["Name"]) else {})}
        for ad in FAKE_SLOTS
    )  # fmt: skip


@pytest.fixture(scope="module")
def seen(filled_pool: CondorPool) -> Seen:
    """Sources and tools look at the pool until it was the same before and after."""
    pool = filled_pool

    def job_state() -> list[tuple[Any, ...]]:
        keys = ("ClusterId", "ProcId", "JobStatus", "RemoteHost", "LastRemoteHost", "QDate")
        return sorted(tuple(map(str, map(job.get, keys))) for job in pool.jobs())

    def slot_state() -> list[tuple[Any, ...]]:
        return sorted(
            tuple(map(str, map(slot.get, ("Name", "State", "Activity", "Cpus")))) for slot in pool.slots()
        )

    until_s = time.monotonic() + 200
    while time.monotonic() < until_s:
        wait_until(lambda: at_rest(pool), "slots as the jobs on them")
        before = job_state(), slot_state(), schedd_figures(pool)
        started = time.time()
        from_jobs = pool.call(collect, "jobs", ENVIRONMENT)
        between = started, time.time()
        from_slots = pool.call(collect, "slots", ENVIRONMENT)
        jobs, slots, schedd = pool.jobs(), pool.slots(), schedd_figures(pool)
        if before == (job_state(), slot_state(), schedd):
            return Seen(jobs, slots, schedd, from_jobs, from_slots, between)
    raise AssertionError("the pool does not come to rest")


def schedd_figures(pool: CondorPool) -> list[float]:
    """Running, idle and held jobs, and starts, as the schedd advertised them last."""
    names = ("TotalRunningJobs", "TotalIdleJobs", "TotalHeldJobs", "JobsStarted")
    return [float(text) for text in pool.tool("condor_status", "-schedd", "-af", *names).split()]


def at_rest(pool: CondorPool) -> bool:
    """Whether the collector daemon knows of jobs, and of the slots that they are on, what the schedd knows.

    Schedd and startd tell it later, and the startd frees the slots of jobs that ended when it likes.
    """
    activities = {2: "Busy", 7: "Suspended"}
    jobs = pool.jobs("JobStatus == 2 || JobStatus == 7")
    slots = pool.slots(f"Machine == {json.dumps(HOST)}")
    made = {slot["Name"]: slot for slot in slots if slot["SlotType"] == "Dynamic"}
    whole = sum(slot["Cpus"] for slot in slots) == CORES
    told = schedd_figures(pool)[2] == pool.statuses().count(5)
    return (
        whole
        and told
        and {name: slot["Activity"] for name, slot in made.items()}
        == {job["RemoteHost"]: activities[job["JobStatus"]] for job in jobs}
    )


def values_under(collected: Collected, prefix: str) -> dict[str, float]:
    return {path[len(prefix) :]: value for path, value in collected.values if path.startswith(prefix)}


def count(jobs: list[dict[str, Any]], name: Callable[[dict[str, Any]], str]) -> dict[str, float]:
    """Counts under `name.status` and `name.total`."""
    counts: Counter[str] = Counter()
    for job in jobs:
        counts[f"{name(job)}.{STATUS_NAMES[job['JobStatus']]}"] += 1
        counts[f"{name(job)}.total"] += 1
    return dict(counts)


def test_every_status_that_can_be_brought_about_is_there(seen: Seen) -> None:
    counts = values_under(seen.from_jobs, "grids.g.jobs.all.")
    for status in ("idle", "running", "removed", "completed", "held", "suspended"):
        assert counts[status] > 0, status


def test_jobs_by_status_and_type(seen: Seen) -> None:
    found = values_under(seen.from_jobs, "grids.g.jobs.")
    for jobtype, belongs in {"all": lambda job: True, **{n: b for n, (_, b) in JOB_TYPES.items()}}.items():
        expected = count([job for job in seen.jobs if belongs(job)], lambda _, name=jobtype: name)
        own = {path: value for path, value in found.items() if path.startswith(f"{jobtype}.")}
        assert {path: value for path, value in own.items() if value} == expected
        assert {path.split(".")[1] for path in own} == {*STATUS_NAMES.values(), "unexpanded", "total"}
    assert {path.split(".")[0] for path in found} == {"all", *JOB_TYPES}


def test_jobs_by_user(seen: Seen) -> None:
    expected = count(seen.jobs, lambda job: clean(job["Owner"]))
    assert len({path.split(".")[0] for path in expected}) == 5
    assert values_under(seen.from_jobs, "grids.g.users.") == expected


def test_jobs_by_accounting_group(seen: Seen) -> None:
    groups = {"group_higgs.prod.bob": "group_higgs.prod", "group_mcore.someone": "group_mcore"}
    grouped = [job for job in seen.jobs if "AccountingGroup" in job]
    assert {job["AccountingGroup"] for job in grouped} == groups.keys()
    expected = count(grouped, lambda job: clean(groups[job["AccountingGroup"]]))
    assert values_under(seen.from_jobs, "grids.g.groups.") == expected


def test_held_jobs_by_reason(seen: Seen) -> None:
    expected = Counter(f"code_{job['HoldReasonCode']}" for job in seen.jobs if job["JobStatus"] == 5)
    assert len(expected) >= 2
    assert values_under(seen.from_jobs, "grids.g.held.") == expected


def test_waits_are_those_of_the_nearest_rank(seen: Seen) -> None:
    found = values_under(seen.from_jobs, "grids.g.wait.")
    for jobtype, belongs in {"all": lambda job: True, **{n: b for n, (_, b) in JOB_TYPES.items()}}.items():
        queued = sorted(job["QDate"] for job in seen.jobs if job["JobStatus"] == 1 and belongs(job))
        for percent in (50, 95):
            path = f"{jobtype}.p{percent}_s"
            if not queued:
                assert path not in found
                continue
            waits = queued[::-1]  # the nearest rank of the waits is that of the times from the latest on
            second = waits[-(-len(waits) * percent // 100) - 1]
            assert seen.between[0] - second <= found[path] <= seen.between[1] - second


def test_jobs_by_host(seen: Seen) -> None:
    expected: Counter[tuple[str, str, str]] = Counter()
    for job in seen.jobs:
        if host := str(job.get("RemoteHost") or job.get("LastRemoteHost") or "").rpartition("@")[2]:
            types = [name for name, (_, belongs) in JOB_TYPES.items() if belongs(job)]
            expected.update((host, name, STATUS_NAMES[job["JobStatus"]]) for name in ("all", *types))
    assert {status for _, _, status in expected} >= {"running", "suspended", "completed", "held"}
    assert {placement[:3]: placement.jobs for placement in seen.from_jobs.placements} == expected


def test_slots_by_type_and_state(seen: Seen) -> None:
    expected: Counter[str] = Counter()
    for slot in seen.slots:
        kind, state = slot["SlotType"].lower(), slot["State"].lower()
        names = ("odd type", "something.new")
        kind, state = (clean(kind), clean(state)) if (kind, state) == names else (kind, state)
        expected.update([f"{kind}.{state}", f"{kind}.total", f"all.{state}", "all.total"])
    found = values_under(seen.from_slots, "grids.g.slots.")
    assert {path: value for path, value in found.items() if value} == expected
    assert found["dynamic.claimed"] > 1
    assert found["partitionable.drained"] == 0


@pytest.mark.parametrize(
    ("resource", "attribute"), [("cores", "Cpus"), ("memory_mb", "Memory"), ("gpus", "GPUs")]
)
def test_resources_of_slots(seen: Seen, resource: str, attribute: str) -> None:
    def amount(*states: str, remainders: bool = False) -> float:
        return sum(
            slot.get(attribute, 0)
            for slot in seen.slots
            if slot["State"] in states and (slot["SlotType"] == "Partitionable") == remainders
        )

    unusable = next(slot for slot in seen.slots if slot["Name"] == "slot1@east-1.example").get(attribute, 0)
    assert values_under(seen.from_slots, f"grids.g.{resource}.") == {
        "total": sum(slot.get(attribute, 0) for slot in seen.slots),
        "claimed": amount("Claimed", "Preempting"),
        "idle": amount("Unclaimed", "Something.New") + amount("Unclaimed", remainders=True) - unusable,
        "unusable": unusable,
        "unavailable": amount("Owner", "Drained"),
    }


def test_machines_and_their_clouds(seen: Seen) -> None:
    machines = {machine.host: machine for machine in seen.from_slots.machines}
    assert machines.keys() == {slot["Machine"] for slot in seen.slots}
    east, west = machines["east-1.example"], machines["west-3.example"]
    assert (east.cloud, east.vmtype, east.slots, east.busy_slots) == (
        clean("East Cloud"),
        "big",
        ("slot1_1",),
        1,
    )
    assert (east.mips, east.kflops) == (1000, 5)
    assert (west.cloud, west.vmtype, sorted(west.slots)) == ("west", "vm", ["slot1", "slot2"])
    assert west.busy_slots == 1
    assert machines["hostile name.example"].cloud == ""
    own = machines[HOST]
    running = [job for job in seen.jobs if job["JobStatus"] in (2, 7)]
    assert own.cloud == "127"
    assert sorted(own.slots) == sorted(job["RemoteHost"].split("@")[0] for job in running)


def test_daemons_say_what_condor_status_says(seen: Seen) -> None:
    name = clean(HOST)
    schedd = values_under(seen.from_slots, f"grids.g.condor.schedd.{name}.")
    keys = ("jobs_running", "jobs_idle", "jobs_held", "starts")
    assert [schedd[key] for key in keys] == seen.schedd
    assert schedd["starts"] >= 8
    negotiator = values_under(seen.from_slots, f"grids.g.condor.negotiator.{name}.")
    assert negotiator.keys() >= {"cycle_s", "matches", "rejections", "duty_cycle"}
    collectors = [path for path, _ in seen.from_slots.values if path.startswith("grids.g.condor.collector.")]
    assert {path.split(".")[4] for path in collectors} == {clean("test-pool@127-0-0-1.test.local")}


@pytest.mark.parametrize("source", ["jobs", "slots"])
def test_the_older_bindings_say_the_same(
    filled_pool: CondorPool, seen: Seen, older_bindings: Path, source: str
) -> None:
    expected = seen.from_jobs if source == "jobs" else seen.from_slots
    looks: list[Collected] = []

    def has_the_same_figures() -> bool:
        """A daemon tells of more as it goes on, so both look until nothing has come between."""
        looks[:] = [
            filled_pool.call(collect, source, ENVIRONMENT),
            filled_pool.call(collect_with, str(older_bindings), source),
            filled_pool.call(collect, source, ENVIRONMENT),
        ]
        before, found, after = ([path for path, _ in look.values] for look in looks)
        assert before != after or found == after, "the older bindings say otherwise"
        return before == after

    wait_until(has_the_same_figures, "daemons that tell of nothing new")
    found = looks[1]
    moving = ("grids.g.wait.", "grids.g.condor.")  # with the clock
    assert [row for row in found.values if not row[0].startswith(moving)] == [
        row for row in expected.values if not row[0].startswith(moving)
    ]
    assert (found.placements, found.machines) == (expected.placements, expected.machines)


def test_the_older_bindings_know_their_functions(filled_pool: CondorPool, older_bindings: Path) -> None:
    expressions = {"unknown": "nosuch(1)", "faulty": "x ==", "fine": 'regexp("a", Owner)'}
    assert set(filled_pool.call(find_faults_with, str(older_bindings), expressions)) == {"unknown", "faulty"}


def hide_newer_bindings(folder: str) -> None:
    """In a process of the pool: only the modules htcondor and classad are there."""
    sys.path.insert(0, folder)
    sys.modules |= dict.fromkeys(("htcondor2", "classad2"))  # type: ignore[arg-type]


def collect_with(folder: str, source: str) -> Collected:
    hide_newer_bindings(folder)
    return collect(source, ENVIRONMENT)


def find_faults_with(folder: str, expressions: dict[str, str]) -> dict[str, str]:
    hide_newer_bindings(folder)
    from cloud_monitor.htcondor.expressions import find_faults

    return find_faults(expressions)


def test_a_further_host_gives_its_own_schedd_alone(filled_pool: CondorPool) -> None:
    further = {**ENVIRONMENT, "COLLECTOR_OWNER": "false"}
    assert filled_pool.call(collect, "jobs", further) == Collected()
    found = filled_pool.call(collect, "slots", further)
    assert found.values
    assert all(path.startswith("grids.g.condor.schedd.") for path, _ in found.values)
    assert found.machines == ()


def test_schedds_and_collectors_by_name(filled_pool: CondorPool, seen: Seen) -> None:
    """The same pool and schedd named twice: what is seen twice counts once."""
    twice = {
        **ENVIRONMENT,
        "COLLECTOR_CONDOR_SCHEDDS": "127-0-0-1.test.local, 127-0-0-1.test.local",
        "COLLECTOR_CONDOR_COLLECTORS": f"{filled_pool.collector_host}, {filled_pool.collector_host}",
    }
    found = filled_pool.call(collect, "jobs", twice)
    jobs = values_under(found, "grids.g.jobs.all.")
    assert jobs == values_under(seen.from_jobs, "grids.g.jobs.all.")
    schedd = clean("127-0-0-1.test.local")
    assert values_under(found, f"grids.g.condor.schedds.{schedd}.jobs.") == jobs
    slots = values_under(filled_pool.call(collect, "slots", twice), "grids.g.slots.all.")
    assert slots["total"] == len(seen.slots)


@pytest.mark.parametrize("mode", ["hashed", "hidden"])
def test_users_can_be_hidden(filled_pool: CondorPool, mode: str) -> None:
    environment = {**ENVIRONMENT, "COLLECTOR_CONDOR_USERS": mode, "COLLECTOR_CONDOR_USERS_KEY": "k"}
    found = filled_pool.call(collect, "jobs", environment)
    text = "\n".join(path for path, _ in found.values)
    assert not any(name in text for name in ("alice", "carol", "dave", "erin"))
    names = {path.split(".")[0] for path in values_under(found, "grids.g.users.")}
    assert len(names) == (5 if mode == "hashed" else 0)


def test_users_beyond_the_cap_are_summed(filled_pool: CondorPool, seen: Seen) -> None:
    found = filled_pool.call(collect, "jobs", {**ENVIRONMENT, "COLLECTOR_CONDOR_NAMES_MAX": "2"})
    users = values_under(found, "grids.g.users.")
    assert {path.split(".")[0] for path in users} == {"alice", clean("carol.o'hara"), "other"}
    assert sum(value for path, value in users.items() if path.endswith(".total")) == len(seen.jobs)
    assert values_under(found, "grids.g.condor.overflow.")["users"] == 3


def test_job_types_that_differ_from_job_to_job_are_named(filled_pool: CondorPool, seen: Seen) -> None:
    types = {"late": "ClusterId > 3", "alices": 'Owner == "alice"'}
    from collector.sources.htcondor.tally import (
        read_tally,
    )  # as late as here: the older bindings bear no others

    tally = read_tally(filled_pool.call(query_too_many_groups, types))
    (complaint,) = tally.complaints
    assert "more than 3 groups by ClusterId, Owner: use attributes" in complaint
    assert tally.types == Counter(("all", STATUS_NAMES[job["JobStatus"]]) for job in seen.jobs)


def test_too_many_groups_of_jobs_leave_the_figures_whole(filled_pool: CondorPool, seen: Seen) -> None:
    """What cannot be told apart by name is in the sums, and nobody's job types are blamed."""
    from collector.sources.htcondor.tally import read_tally

    tally = read_tally(filled_pool.call(query_too_many_groups, {"late": "JobStatus > 1000"}, 6))
    assert tally.complaints == []
    statuses = Counter(STATUS_NAMES[job["JobStatus"]] for job in seen.jobs)
    assert tally.types == {("all", status): jobs for status, jobs in statuses.items()}
    by_status: Counter[str] = Counter()
    for (_, status), jobs in tally.users.items():
        by_status[status] += jobs
    assert by_status == statuses
    assert {name for name, _ in tally.users} > {REST}
    assert sum(tally.held.values()) == statuses["held"]


def query_too_many_groups(types: dict[str, str], groups_max: int = 3) -> list[Any]:
    """In a process of the pool."""
    from cloud_monitor.htcondor.bindings import find_schedd
    from collector.sources.htcondor.jobtypes import JobTypes
    from collector.sources.htcondor.tally import query_tally

    return query_tally(find_schedd("", (), "X"), "", JobTypes(types), groups_max).as_rows()


def test_many_different_waits_are_fetched_in_parts(filled_pool: CondorPool, seen: Seen) -> None:
    """400 more jobs queued at as many different seconds, of which 100 may be fetched at once."""
    start = int(time.time()) - 100_000
    cluster = filled_pool.submit(
        "zoe", queue=400, requirements="false", when=f"{start} + $(Process) * 211", MY_QDate="$INT(when)"
    )
    try:
        now_s, waits = filled_pool.call(query_few_waits)
        queued = [job["QDate"] for job in filled_pool.jobs("JobStatus == 1")]
    finally:
        filled_pool.tool("condor_rm", str(cluster))
    assert len(set(queued)) > 400
    assert Counter({wait: jobs for wait, _, jobs in waits}) == Counter(now_s - second for second in queued)


def query_few_waits() -> tuple[float, list[Any]]:
    """In a process of the pool."""
    from cloud_monitor.htcondor.bindings import find_schedd
    from collector.sources.htcondor.jobtypes import JobTypes
    from collector.sources.htcondor.waits import query_waits

    now_s = time.time()
    return now_s, query_waits(find_schedd("", (), "X"), "", JobTypes({}), now_s, groups_max=100)
