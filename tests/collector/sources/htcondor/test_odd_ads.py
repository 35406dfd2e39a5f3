"""Odd ads of a real pool cost themselves alone: bytes, undefined values, expressions, doubles."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.model import Collected
from tests.collector.sources.htcondor.test_faults import run, silent
from tests.collector.sources.htcondor.test_pool import ENVIRONMENT, collect, values_under
from tests.collector.support import peer
from tests.services.condor import CondorPool
from tests.services.support import in_time, wait_until

pytestmark = pytest.mark.timeout(300)  # real jobs on a machine that may be busy

SCHEDD = "127-0-0-1.test.local"
CLOUDS = {**ENVIRONMENT, "COLLECTOR_CONDOR_CLOUD_PATTERN": "^(?P<cloud>none)"}


@pytest.fixture
def pool(condor_pool: CondorPool) -> Iterator[CondorPool]:
    yield condor_pool
    condor_pool.remove_jobs()
    condor_pool.invalidate_slots('regexp("example$", Machine)')


def submit_latin_1(pool: CondorPool, tmp_path: Path, output: str, **commands: str) -> None:
    lines = [
        "executable = /bin/true", "should_transfer_files = no", "transfer_executable = false",
        "initialdir = /tmp", "request_memory = 16", "request_disk = 1024", f"output = {output}",
        *(f"{name} = {value}" for name, value in commands.items()), "queue",
    ]  # fmt: skip
    file = tmp_path / "latin-1.sub"
    file.write_bytes("\n".join(lines).encode("latin-1"))
    pool.tool("condor_submit", str(file), user="zoe")


def test_a_held_job_with_a_latin_1_name_is_counted_and_listed(pool: CondorPool, tmp_path: Path) -> None:
    submit_latin_1(
        pool, tmp_path, "/nonexistent/Ergebnis_f\xfcr.txt", **{"My.AccountingGroup": '"gr\xfcn.zoe"'}
    )
    pool.submit("alice", queue=2, requirements="false")
    wait_until(lambda: sorted(held_or_idle(pool)) == ["1", "1", "5"], "the job held")
    found = pool.call(collect, "jobs", ENVIRONMENT)
    jobs = values_under(found, "grids.g.jobs.all.")
    assert (jobs["held"], jobs["idle"], jobs["total"]) == (1, 2, 3)
    assert values_under(found, "grids.g.users.")["alice.idle"] == 2
    assert any(path.startswith("grids.g.groups.gr_n_") for path, _ in found.values)
    assert not found.complaints
    (note,) = found.notes
    assert "AccountingGroup is not UTF-8 (job" in note
    (held,) = [job for job in pool.call(list_jobs, ENVIRONMENT).jobs if job.status == "held"]
    assert "Ergebnis_f?r.txt" in held.hold_reason
    assert held.group == "gr?n"


def held_or_idle(pool: CondorPool) -> list[str]:
    """By a tool whose output is ASCII."""
    return pool.tool("condor_q", "-allusers", "-af", "JobStatus").split()


def list_jobs(environment: dict[str, str]) -> Collected:
    """In a process of the pool."""
    from collector.settings import read_settings
    from collector.sources.htcondor.joblist import collect

    return collect(read_settings({
        **environment, "COLLECTOR_INVENTORY_URL": "http://page", "COLLECTOR_INVENTORY_TOKEN_FILE": "/token",
    }))  # fmt: skip


def test_undefined_is_neither_a_code_nor_a_status_and_no_job_waits_57_years(pool: CondorPool) -> None:
    codes = ("0", "undefined", "error", "true", '"7"')
    held = pool.submit("alice", queue=len(codes), hold="true", requirements="false")
    for process, value in enumerate(codes):
        pool.tool("condor_qedit", f"{held}.{process}", "HoldReasonCode", value)
    dates = (str(int(time.time()) - 100), "0", "undefined", "true", "-5", '"yesterday"')
    idle = pool.submit("bob", queue=len(dates), requirements="false")
    for process, value in enumerate(dates):
        pool.tool("condor_qedit", f"{idle}.{process}", "QDate", value)
    found = pool.call(collect, "jobs", ENVIRONMENT)
    assert values_under(found, "grids.g.held.") == {"code_0": len(codes)}
    waits = values_under(found, "grids.g.wait.all.")
    assert 99 < waits["p50_s"] == waits["p95_s"] < 300
    (note,) = found.notes
    assert f"job {idle}.1" in note


def slot(name: str, host: str, **ad: object) -> dict[str, Any]:
    return {"Name": f"{name}@{host}.example", "Machine": f"{host}.example", **ad}


def test_odd_slots_cost_themselves_alone(pool: CondorPool) -> None:
    usual = values_under(pool.call(collect, "slots", CLOUDS), "grids.g.")["cores.total"]
    text = "\n\n".join(
        "\n".join([
            'MyType = "Machine"', f'Name = "slot1@{host}.example"', f'Machine = "{host}.example"',
            f'MyAddress = "<127.0.0.1:9?sock={host}>"', "SlotID = 1", 'SlotType = "Static"',
            'State = "Unclaimed"', 'Activity = "Idle"', "ClassAdLifetime = 86400", *lines,
        ])
        for host, lines in {
            "latin": ["Cpus = 1", 'CloudProvider = "Z\xfcrich"'],
            "expression": ["Cpus = 2", 'Base = "a"', 'Site = strcat(Base, "-b")', "CloudProvider = Site"],
            "undefined": ["Cpus = undefined", "CloudProvider = undefined"],
            "error": ["Cpus = error", "CloudProvider = error"],
            "negative": ["Cpus = -4", 'CloudProvider = "east"'],
            "huge": ["Cpus = 9223372036854775807", 'CloudProvider = "east"'],
            "gone": ["Cpus = 64", "Absent = true", 'CloudProvider = "east"'],
        }.items()
    )  # fmt: skip
    file = pool.directory / "odd.ads"
    file.write_bytes((text + "\n").encode("latin-1"))
    pool.tool("condor_advertise", "-multiple", "UPDATE_STARTD_AD", str(file))
    found = pool.call(collect, "slots", CLOUDS)
    assert values_under(found, "grids.g.")["cores.total"] == usual + 1 + 2
    clouds = {
        machine.host.split(".")[0]: machine.cloud for machine in found.machines if "example" in machine.host
    }
    assert clouds.pop("latin").startswith("Z_rich_")
    assert clouds == {
        "expression": "a-b",
        "undefined": "",
        "error": "",
        "negative": "east",
        "huge": "east",
    }
    assert not found.complaints
    assert any("slot1@huge.example" in note for note in found.notes)


def test_backfill_slots_are_no_second_set_of_cores(pool: CondorPool) -> None:
    before = values_under(pool.call(collect, "slots", CLOUDS), "grids.g.")
    pool.advertise_slots([
        slot("slot1", "primary", SlotType="Partitionable", Cpus=8, Memory=8000),
        slot("slot2", "primary", SlotType="Partitionable", Cpus=5, Memory=5000, BackfillSlot=True, SlotID=2),
        slot("slot2_1", "primary", SlotType="Dynamic", State="Claimed", Activity="Busy", Cpus=3, Memory=3000,
             BackfillSlot=True, SlotID=2),
    ])  # fmt: skip
    after = values_under(pool.call(collect, "slots", CLOUDS), "grids.g.")
    assert after["cores.total"] - before["cores.total"] == 8
    assert after["cores.idle"] - before["cores.idle"] == 8
    assert after["cores.claimed"] == before["cores.claimed"]
    assert after["memory_mb.total"] - before["memory_mb.total"] == 8000
    assert (after["slots.backfill.claimed"], after["slots.backfill.unclaimed"]) == (1, 1)


def test_slots_of_two_pools_with_one_name_are_two_and_one_in_both_is_one(
    condor_installation: Path, pool: CondorPool
) -> None:
    with CondorPool(condor_installation, daemons="MASTER COLLECTOR") as other:
        both = {**CLOUDS, "COLLECTOR_CONDOR_COLLECTORS": f"{pool.collector_host}, {other.collector_host}"}
        before = values_under(pool.call(collect, "slots", both), "grids.g.")["cores.total"]
        pool.advertise_slots([slot("slot1", "alike", MyAddress="<10.0.0.1:9>", Cpus=3)])
        other.advertise_slots([slot("slot1", "alike", MyAddress="<10.0.0.2:9>", Cpus=5)])
        for one in (pool, other):
            one.advertise_slots([slot("slot1", "shared", MyAddress="<10.0.0.3:9>", Cpus=100)])
        found = values_under(pool.call(collect, "slots", both), "grids.g.")
    assert found["cores.total"] - before == 3 + 5 + 100
    assert (found["condor.peers.pools.asked"], found["condor.peers.pools.answered"]) == (2, 2)


# One bad peer of several


def test_a_stopped_schedd_of_three_costs_its_own_jobs(
    condor_installation: Path, pool: CondorPool, tmp_path: Path
) -> None:
    pool.submit("alice", queue=3, requirements="false")
    with CondorPool(
        condor_installation, extra="SCHEDD_NAME = second", daemons="MASTER COLLECTOR SCHEDD"
    ) as second, CondorPool(
        condor_installation, extra="SCHEDD_NAME = third", daemons="MASTER COLLECTOR SCHEDD"
    ) as third:  # fmt: skip
        second.submit("bob", queue=2, hold="true")
        third.submit("carol", queue=4, hold="true")
        pools = ",".join(one.collector_host for one in (pool, second, third))
        schedds = ", ".join((SCHEDD, f"second@{SCHEDD}", f"third@{SCHEDD}"))
        settings = {"CONDOR_SCHEDDS": schedds, "CONDOR_COLLECTORS": pools, "SOURCE_TIMEOUT_S": 10}
        status, errors, values, _ = run(pool, tmp_path, **settings)
        assert (status, values["grids.g.jobs.all.total"]) == (0, 9), errors
        stopped = schedd_pid(third)
        os.kill(stopped, signal.SIGSTOP)
        try:
            status, errors, values, taken_s = run(pool, tmp_path, **settings)
        finally:
            os.kill(stopped, signal.SIGCONT)
    assert status == 1
    assert "2 of 3 schedds answered" in errors
    assert f"third@{SCHEDD}" in errors
    assert in_time(taken_s - 10, 6)
    assert (values["grids.g.jobs.all.idle"], values["grids.g.jobs.all.held"]) == (3, 2)
    peers = {path.rpartition(".")[2]: value for path, value in values.items() if ".peers.schedds." in path}
    assert peers == {"asked": 3, "answered": 2}
    by_schedd = {path.split(".")[4]: value for path, value in values.items()
                 if ".condor.schedds." in path and path.endswith(".total")}  # fmt: skip
    assert sorted(by_schedd.values()) == [2, 3]
    assert values["grids.g.heartbeat.condor"] == 1


def schedd_pid(pool: CondorPool) -> int:
    """Of the schedd that the pool's master started."""
    assert pool.master
    listed = subprocess.run(
        ["ps", "-o", "pid=,comm=", "--ppid", str(pool.master.pid)], capture_output=True, text=True, check=True
    )
    return next(int(line.split()[0]) for line in listed.stdout.splitlines() if "condor_schedd" in line)


def test_a_dead_pool_of_two_costs_its_own_machines_and_hides_no_schedd(
    pool: CondorPool, tmp_path: Path
) -> None:
    with peer(silent) as dead:
        status, errors, values, _ = run(
            pool, tmp_path, CONDOR_SCHEDDS=SCHEDD, CONDOR_COLLECTORS=f"{dead}, {pool.collector_host}",
            SOURCE_TIMEOUT_S=10,
        )  # fmt: skip
    assert status == 1
    assert "1 of 2 pools answered" in errors
    assert values["grids.g.cores.total"] == 8
    assert values["grids.g.jobs.all.total"] == 0
    assert values["grids.g.condor.peers.pools.answered"] == 1


def test_a_silent_daemon_of_a_pair_costs_no_slots(pool: CondorPool, tmp_path: Path) -> None:
    """With HTCondor's own QUERY_TIMEOUT of a minute; the order of the pair changes from run to run."""
    with peer(silent) as dead:
        os_environment = {
            "_CONDOR_COLLECTOR_HOST": f"{dead}, {pool.collector_host}",
            "_CONDOR_QUERY_TIMEOUT": "60",
        }
        for _ in range(2):
            found = pool.call(collect_as, os_environment, {**CLOUDS, "COLLECTOR_SOURCE_TIMEOUT_S": "10"})
            assert values_under(found, "grids.g.")["cores.total"] == 8


def collect_as(environment: dict[str, str], settings: dict[str, str]) -> Collected:
    """In a process of the pool."""
    os.environ |= environment
    return collect("slots", settings)
