"""HTCondor pools of any size for a benchmark: a queue of jobs in many states, and slots by their ads alone.

The jobs' and slots' ads are those of a real job on a real slot with some attributes changed, so that they are
as large as real ones. The queue is written as the schedd keeps it on disk (its transaction log) before it
starts. Jobs are marked as managed by somebody else, so that the schedd leaves their status alone.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.services.condor import CondorPool
from tests.services.support import wait_until

# As daemons in production run, where the tests' pool asks and reports every second.
CALM = """
NEGOTIATOR_INTERVAL = 60
NEGOTIATOR_MIN_INTERVAL = 60
NEGOTIATOR_CYCLE_DELAY = 20
SCHEDD_INTERVAL = 300
SCHEDD_MIN_INTERVAL = 60
UPDATE_INTERVAL = 300
MASTER_UPDATE_INTERVAL = 300
NEGOTIATOR_UPDATE_INTERVAL = 300
"""
DAEMONS = "MASTER COLLECTOR NEGOTIATOR SCHEDD"

SLOTS_PER_MACHINE = 8  # one partitionable slot and what was cut from it
JOBS_PER_CLUSTER = 8
USERS = 40
_STATUS_SHARES = {1: 0.5, 2: 0.15, 5: 0.2, 4: 0.12, 3: 0.02, 7: 0.005, 6: 0.005}
_ON_A_SLOT = (2, 6, 7)
_HOLD_CODES = (1, 12, 13, 26, 34)
_ADS_AT_ONCE = 2000


class Templates(NamedTuple):
    """Attributes of real ads, values as ClassAd text."""

    job: dict[str, str]
    partitionable: dict[str, str]
    dynamic: dict[str, str]


def read_templates(prefix: Path) -> Templates:
    """Run one job in a small pool and take down its ad and its slots'."""
    with CondorPool(prefix) as pool:
        pool.submit("alice")
        wait_until(lambda: len(pool.slots()) == 2 and pool.statuses() == [2], "a running job", 60)
        job = read_ads(pool.tool("condor_q", "-allusers", "-long"))[0]
        slots = read_ads(pool.tool("condor_status", "-long"))
        partitionable, dynamic = sorted(slots, key=lambda slot: slot["SlotType"], reverse=True)
        return Templates(job, partitionable, dynamic)


def read_ads(text: str) -> list[dict[str, str]]:
    """Ads as the tools' -long prints them."""
    return [dict(line.split(" = ", 1) for line in ad.splitlines()) for ad in text.strip().split("\n\n")]


def write_queue(spool: Path, template: dict[str, str], jobs: int, machines: int, now: int) -> None:
    """The schedd's job_queue.log of `jobs` jobs, every cluster of them queued at a second of its own."""
    clusters = -(-jobs // JOBS_PER_CLUSTER)
    seconds = random.Random(clusters).sample(range(60, 5 * 86400), clusters)
    statuses = [status for status, share in _STATUS_SHARES.items() for _ in range(round(share * 200))]
    random.Random(0).shuffle(statuses)
    slots = itertools.cycle(slot_names(machines))
    with open(spool / "job_queue.log", "w") as log:
        log.write(
            f"107 1 CreationTimestamp {now}\n101 0.0 Job Machine\n103 0.0 NextClusterNum {clusters + 1}\n"
        )
        for number in range(1, clusters + 1):
            status = statuses[number % len(statuses)]
            cluster, each = cluster_ads(template, number, status, now - seconds[number - 1])
            write_ad(log, f"0{number}.-1", cluster)
            for process in range(min(JOBS_PER_CLUSTER, jobs - (number - 1) * JOBS_PER_CLUSTER)):
                host = {"RemoteHost": quote(next(slots))} if status in _ON_A_SLOT else {}
                write_ad(log, f"{number}.{process}", {**each, **host, "ProcId": process})


def cluster_ads(
    template: dict[str, str], number: int, status: int, queued: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the jobs of a cluster share, and what each has by itself."""
    user, kind = f"user{number % USERS:02d}", number % 4
    shared = {
        **template,
        "ClusterId": number,
        "Managed": quote("External"),
        "QDate": queued,
        "EnteredCurrentStatus": queued,
        "Owner": quote(user),
        "User": quote(f"{user}@test.local"),
        "AccountingGroup": quote(f"group_{kind}.{user}"),
        "TargetClouds": quote(("IAAS", "IAAS_MCORE", "Alberta", "CERN")[kind]),
        "RequestCpus": 8 if kind == 1 else 1,
        "LeaveJobInQueue": "true",
    }
    for name in ("ProcId", "JobStatus", "RemoteHost", "GlobalJobId"):
        shared.pop(name, None)
    each: dict[str, Any] = {"JobStatus": status}
    if status == 5:
        each |= {"HoldReasonCode": _HOLD_CODES[number % len(_HOLD_CODES)], "HoldReason": quote("held")}
    return shared, each


def write_ad(log: Any, key: str, attributes: dict[str, Any]) -> None:
    log.write(f"101 {key} Job Machine\n")
    log.writelines(f"103 {key} {name} {value}\n" for name, value in attributes.items())


def slot_names(machines: int) -> Iterator[str]:
    """Names of the dynamic slots."""
    for machine in range(machines):
        for slot in range(1, SLOTS_PER_MACHINE):
            yield f"slot1_{slot}@{host_name(machine)}"


def host_name(machine: int) -> str:
    return f"node{machine:05d}.test.local"


def slot_ads(templates: Templates, machines: int) -> Iterator[dict[str, str]]:
    for machine in range(machines):
        host = host_name(machine)
        address = quote(f"<127.0.0.1:9?sock={host}>")
        own = {
            "Machine": quote(host), "MyAddress": address, "StartdIpAddr": address, "ClassAdLifetime": "86400",
            "CloudProvider": quote(f"cloud{machine % 5}"),
        }  # fmt: skip
        yield {**templates.partitionable, **own, "Name": quote(f"slot1@{host}"), "Cpus": "1"}
        for slot in range(1, SLOTS_PER_MACHINE):
            claimed = (machine + slot) % 5 != 0
            state = {"State": quote("Claimed" if claimed else "Unclaimed")}
            activity = {"Activity": quote("Busy" if claimed else "Idle")}
            yield {**templates.dynamic, **own, **state, **activity, "Name": quote(f"slot1_{slot}@{host}")}


def advertise(pool: CondorPool, ads: Iterator[dict[str, str]]) -> None:
    path = pool.directory / "advertise.ads"
    while batch := list(itertools.islice(ads, _ADS_AT_ONCE)):
        path.write_text("\n".join("".join(f"{n} = {v}\n" for n, v in ad.items()) for ad in batch))
        pool.tool("condor_advertise", "-multiple", "UPDATE_STARTD_AD", str(path))
    path.unlink(missing_ok=True)


def start_pool(
    prefix: Path, directory: Path, templates: Templates, jobs: int, slots: int, now: int
) -> CondorPool:
    """A pool with that many jobs in its schedd and slots in its collector daemon; stop it in the end."""
    pool = CondorPool(prefix, directory, extra=CALM, daemons=DAEMONS)
    spool = directory / "spool"
    spool.mkdir(parents=True)
    machines = max(1, slots // SLOTS_PER_MACHINE)
    write_queue(spool, templates.job, jobs, machines, now)
    os.chown(spool / "job_queue.log", pool.uid, pool.gid)
    pool.start(timeout_s=120)
    advertise(pool, slot_ads(templates, machines))
    return pool


def quote(text: str) -> str:
    return json.dumps(text)
