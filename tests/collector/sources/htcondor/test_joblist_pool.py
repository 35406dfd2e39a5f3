"""The list of single jobs of a real pool equals what condor_q says of them, read here by itself."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from collector.model import Collected, CondorJob
from tests.collector.inventory.page import TOKEN, page
from tests.collector.sources.htcondor.test_faults import silent
from tests.collector.support import collector_environment, peer, read_to_end, run_collector
from tests.services.condor import CondorPool
from tests.services.support import wait_until

pytestmark = pytest.mark.timeout(300)  # real jobs on a machine that may be busy

NAMES = {1: "idle", 2: "running", 3: "removed", 4: "completed", 5: "held", 7: "suspended"}
EXPECTED = {1: 9, 2: 2, 3: 1, 4: 1, 5: 6}
HOSTILE = "<script>alert('held')</script>\x1b[31m \u202ered 😀 /data/dave/out.txt"
ENVIRONMENT = {
    "COLLECTOR_GRID": "g",
    "COLLECTOR_CARBON": "127.0.0.1:1",
    "COLLECTOR_JOB_TYPES": 'mcore = RequestCpus > 1; iaas = regexp("^IAAS", TargetClouds)',
    "COLLECTOR_INVENTORY_URL": "http://page",
    "COLLECTOR_INVENTORY_TOKEN_FILE": "/token",
}


@pytest.fixture(scope="module")
def filled_pool(condor_pool: CondorPool) -> Iterator[CondorPool]:
    pool = condor_pool
    pool.submit("alice", queue=2, MY_TargetClouds='"IAAS"', request_cpus="2")
    pool.submit("alice", queue=4, requirements="false", MY_TargetClouds='"IAAS_MCORE"', request_cpus="8")
    pool.submit("carol.o'hara", queue=5, requirements="false", accounting_group="group_higgs.prod",
                accounting_group_user="carol.o'hara")  # fmt: skip
    pool.submit("bob", queue=4, hold="true")
    pool.submit("bob", executable="/bin/true", arguments="", on_exit_hold="true")
    to_hold = pool.submit("dave", requirements="false")
    pool.submit("erin", executable="/bin/true", arguments="", leave_in_queue="true")
    to_remove = pool.submit("erin", requirements="false", leave_in_queue="true")
    pool.tool("condor_hold", "-reason", HOSTILE, str(to_hold))
    pool.tool("condor_rm", str(to_remove))
    wait_until(lambda: Counter(pool.statuses()) == EXPECTED, f"{EXPECTED} in the queue")
    yield pool
    pool.remove_jobs()


class Listed(NamedTuple):
    collected: Collected
    peak_kb: int  # memory that listing took

    @property
    def jobs(self) -> dict[str, CondorJob]:
        found = {job.id: job for job in self.collected.jobs}
        assert len(found) == len(self.collected.jobs)
        return found


def list_jobs(environment: dict[str, str], older_bindings: str = "") -> Listed:
    """In a process of the pool."""
    import resource

    if older_bindings:
        sys.path.insert(0, older_bindings)
        sys.modules |= dict.fromkeys(("htcondor2", "classad2"))  # type: ignore[arg-type]
    from collector.settings import read_settings
    from collector.sources.htcondor.joblist import collect

    settings = read_settings(environment)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    collected = collect(settings)
    return Listed(collected, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb)


def expected_job(ad: dict[str, Any]) -> CondorJob:
    status = ad["JobStatus"]
    clouds = ad.get("TargetClouds", "")
    return CondorJob(
        id=f"{ad['ClusterId']}.{ad['ProcId']}",
        schedd="",
        status=NAMES[status],
        types=(("mcore",) if ad["RequestCpus"] > 1 else ()) + (("iaas",) if clouds[:4] == "IAAS" else ()),
        user=ad["Owner"],
        group="group_higgs.prod" if "AccountingGroup" in ad else "",
        queued_at=ad["QDate"],
        since=ad["EnteredCurrentStatus"],
        host=ad.get("RemoteHost", "").partition("@")[2],
        last_host=ad.get("LastRemoteHost", "").partition("@")[2],
        hold_code=ad["HoldReasonCode"] if status == 5 else None,
        hold_reason=" ".join(ad["HoldReason"].replace("\x1b", " ").replace("\u202e", " ").split())
        if status == 5
        else "",
        starts=ad.get("NumJobStarts", 0),
    )


def expected_jobs(pool: CondorPool) -> dict[str, CondorJob]:
    return {job.id: job for job in map(expected_job, pool.jobs())}


@pytest.mark.parametrize("bindings", ["newer", "older"])
def test_every_job_is_listed_as_condor_q_has_it(
    filled_pool: CondorPool, bindings: str, request: pytest.FixtureRequest
) -> None:
    older = str(request.getfixturevalue("older_bindings")) if bindings == "older" else ""

    def same() -> bool:
        """The queue may change between the two; then look again."""
        before = expected_jobs(filled_pool)
        listed = filled_pool.call(list_jobs, ENVIRONMENT, older)
        assert not listed.collected.jobs_cut
        if before != expected_jobs(filled_pool):
            return False
        assert listed.jobs == before
        statuses = [job.status for job in listed.collected.jobs]
        order = ["held", "running", "idle", "completed", "removed"]
        assert statuses == sorted(statuses, key=order.index)
        return True

    wait_until(same, "a queue at rest")
    reasons = [job.hold_reason for job in expected_jobs(filled_pool).values() if job.user == "dave"]
    assert "<script>alert('held')</script> [31m red 😀 /data/dave/out.txt" in reasons[0]


@pytest.mark.parametrize("maximum", [6, 13])
def test_of_too_many_jobs_the_held_come_first_and_hide_nobody(filled_pool: CondorPool, maximum: int) -> None:
    listed = filled_pool.call(list_jobs, {**ENVIRONMENT, "COLLECTOR_INVENTORY_JOBS_MAX": str(maximum)})
    assert listed.collected.jobs_cut
    counts = Counter(job.status for job in listed.collected.jobs)
    if maximum == 6:
        assert counts == {"held": 3, "running": 2, "idle": 1}
    else:
        assert counts == {"held": 6, "running": 2, "idle": 3, "completed": 1, "removed": 1}
    whole = expected_jobs(filled_pool)
    assert all(
        whole[number]._replace(since=None) == job._replace(since=None) for number, job in listed.jobs.items()
    )


def test_hidden_users_are_hidden_in_hold_reasons_too(filled_pool: CondorPool) -> None:
    for mode in ("hashed", "hidden"):
        environment = {**ENVIRONMENT, "COLLECTOR_CONDOR_USERS": mode, "COLLECTOR_CONDOR_USERS_KEY": "k"}
        listed = filled_pool.call(list_jobs, environment)
        text = json.dumps(listed.collected.jobs)
        assert not any(name in text for name in ("alice", "bob", "carol", "dave", "erin"))
        users = {job.user for job in listed.collected.jobs}
        assert len(users) == (5 if mode == "hashed" else 1)
        assert ("/data/user-" if mode == "hashed" else "/data/user/") in text


def make_texts_long(number: int, length: int) -> None:
    """In a process of the pool."""
    import htcondor2

    schedd = htcondor2.Schedd()
    for process in range(30):
        text = '"' + "\\n<b>" + "z" * length + '"'
        schedd.edit(f"{number}.{process}", "HoldReason" if process % 2 else "AccountingGroup", text)


def test_a_megabyte_of_hold_reason_stays_with_the_schedd(filled_pool: CondorPool) -> None:
    cluster = filled_pool.submit("mallory", queue=30, hold="true")
    try:
        filled_pool.call(make_texts_long, cluster, 1_000_000)
        listed = filled_pool.call(list_jobs, ENVIRONMENT)
        own = [job for job in listed.collected.jobs if job.id.startswith(f"{cluster}.")]
        assert {job.hold_reason for job in own} == {"(a text of this job is longer than 4000 characters)"}
        assert {(job.user, job.status, job.group) for job in own} == {("mallory", "held", "")}
        assert len(own) == 30
        assert listed.peak_kb < 15_000  # the texts together have 30 MB
        filled_pool.call(make_texts_long, cluster, 3_000)
        own = [job for job in filled_pool.call(list_jobs, ENVIRONMENT).jobs.values() if job.user == "mallory"]
        assert {len(job.hold_reason) for job in own} == {300, len("submitted on hold at user's request")}
        assert {len(job.group) for job in own} == {300, 0}
    finally:
        filled_pool.tool("condor_rm", str(cluster))


def test_jobs_of_two_schedds_share_the_room(condor_installation: Path, filled_pool: CondorPool) -> None:
    with CondorPool(
        condor_installation, extra="SCHEDD_NAME = second", daemons="MASTER COLLECTOR SCHEDD"
    ) as other:
        other.submit("zoe", queue=2, hold="true")
        other.submit("zoe", queue=30, requirements="false")
        names = ["127-0-0-1.test.local", "second@127-0-0-1.test.local"]
        both = {
            **ENVIRONMENT,
            "COLLECTOR_CONDOR_SCHEDDS": ",".join(names),
            "COLLECTOR_CONDOR_COLLECTORS": f"{filled_pool.collector_host},{other.collector_host}",
        }
        whole = filled_pool.call(list_jobs, both).collected
        cut = filled_pool.call(list_jobs, {**both, "COLLECTOR_INVENTORY_JOBS_MAX": "30"}).collected
    assert Counter(job.schedd for job in whole.jobs) == {names[0]: sum(EXPECTED.values()), names[1]: 32}
    assert len({(job.schedd, job.id) for job in whole.jobs}) == len(whole.jobs)
    assert not whole.jobs_cut
    assert cut.jobs_cut
    assert Counter((job.schedd, job.status) for job in cut.jobs if job.status in ("held", "idle")) == {
        (names[0], "held"): 6, (names[1], "held"): 2, (names[0], "idle"): 9, (names[1], "idle"): 9,
    }  # fmt: skip


# Whole runs


def environment_of(
    pool: CondorPool, tmp_path: Path, carbon: str, url: str, **settings: object
) -> dict[str, str]:
    (tmp_path / "token").write_text(TOKEN)
    given = collector_environment(
        tmp_path / "state", carbon,
        **{"SOURCES": "condor", "INVENTORY_URL": url, "INVENTORY_TOKEN_FILE": tmp_path / "token"} | settings,
    )  # fmt: skip
    return pool.env() | given | {"CONDOR_CONFIG": str(pool.config)}


def test_the_page_gets_the_jobs_on_their_vms(filled_pool: CondorPool, tmp_path: Path) -> None:
    with page() as (url, taken), peer(read_to_end) as carbon:
        environment = environment_of(
            filled_pool, tmp_path, carbon, url, CONDOR_CLOUD_PATTERN=r"^(?P<cloud>127)-",
            JOB_TYPES=ENVIRONMENT["COLLECTOR_JOB_TYPES"],
        )  # fmt: skip
        ended = run_collector("--print", environment=environment)
    assert ended.returncode == 0, ended.stderr
    body = taken[0].json()
    values = dict(line.split()[:2] for line in ended.stdout.splitlines())
    assert {status: count for status, count in body["jobs_total"].items() if count} == {
        NAMES[status]: count for status, count in EXPECTED.items()
    }
    (vm,) = body["vms"]
    assert (vm["host"], vm["cloud"], vm["status"], vm["idle"]) == (
        "127-0-0-1.test.local", "127", "running", False,
    )  # fmt: skip
    assert values["grids.g.clouds.127.idle.total"] == "0"
    listed = {row["id"]: row for row in body["jobs"]}
    expected = expected_jobs(filled_pool)
    assert listed.keys() == expected.keys()
    assert {row["cloud"] for row in listed.values() if row["status"] == "running"} == {"127"}
    assert all(row["hold_reason"] == expected[number].hold_reason for number, row in listed.items())
    assert values["grids.g.collector.source.condor_joblist.failed"] == "0"


@pytest.mark.parametrize("switch", [{"INVENTORY_URL": ""}, {"INVENTORY_JOBS_MAX": "0"}])
def test_no_list_is_asked_for_unless_it_is_wanted(
    filled_pool: CondorPool, tmp_path: Path, switch: dict[str, str]
) -> None:
    with page() as (url, _), peer(read_to_end) as carbon:
        ended = run_collector(
            "--print", environment=environment_of(filled_pool, tmp_path, carbon, url, **switch)
        )
    assert ended.returncode == 0, ended.stderr
    assert "condor_jobs" in ended.stdout
    assert "condor_joblist" not in ended.stdout


def test_a_silent_schedd_costs_the_list_and_says_nothing_of_the_jobs(
    filled_pool: CondorPool, tmp_path: Path
) -> None:
    with (
        peer(silent) as address,
        filled_pool.advertised_schedd("faulty.example", address),
        page() as (url, taken),
        peer(read_to_end) as carbon,
    ):
        ended = run_collector(
            environment=environment_of(
                filled_pool, tmp_path, carbon, url, CONDOR_SCHEDDS="faulty.example", SOURCE_TIMEOUT_S=3
            )
        )
    assert ended.returncode == 1
    assert "condor_joblist: no answer within 3 s while asking schedd faulty.example" in ended.stderr
    assert taken[0].json()["jobs"] is None  # not known, which is not none
