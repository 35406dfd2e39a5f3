"""Single VMs and jobs through the whole chain: HTCondor and a cloud scheduler, `make run`, the page."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.collector.support import collector_environment, run_collector
from tests.services import ask
from tests.services.condor import CondorPool
from tests.services.made import MakeRun, copy_tracked, share_installed
from tests.services.support import wait_until
from tools.run import environment_of_inventory

pytestmark = pytest.mark.timeout(300)

HOST = "127-0-0-1.test.local"  # the pool's own machine
HOSTILE = "<script>alert('held')</script> /data/bob/out.txt"


@pytest.fixture
def pool(condor_pool: CondorPool) -> Iterator[CondorPool]:
    """One job runs, one waits, two are held."""
    condor_pool.submit("alice")
    condor_pool.submit("alice", requirements="false")
    condor_pool.submit("bob", hold="true")
    to_hold = condor_pool.submit("bob", requirements="false")
    condor_pool.tool("condor_hold", "-reason", HOSTILE, str(to_hold))
    wait_until(lambda: sorted(condor_pool.statuses()) == [1, 2, 5, 5], "a running job")
    yield condor_pool
    condor_pool.remove_jobs()


@pytest.fixture
def run(pool: CondorPool, tmp_path: Path) -> Iterator[MakeRun]:
    copy = tmp_path / "cloud-monitor"
    copy_tracked(copy)
    share_installed(copy)
    vms = [
        {"hostname": host, "vmtype": "worker", "status": "Running", "id": f"id-{number}"}
        for number, host in enumerate((HOST, "east-9.test.local"))
    ]
    status = tmp_path / "status.json"
    status.write_text(json.dumps({"resources": [{"name": "east", "enabled": True, "vms": vms}]}))
    run = MakeRun(
        copy, COLLECTOR_GRID="newcomer", FLEET="0", COLLECT_EVERY_S="5", CONDOR_CONFIG=str(pool.config),
        COLLECTOR_CLOUD_STATUS_COMMAND=f"/bin/cat {status}",
    )  # fmt: skip
    run.log = tmp_path / "run.log"
    yield run
    run.clean_up()


def listed(run: MakeRun, kind: str) -> list[dict[str, Any]]:
    try:
        answer = ask.get(f"{run.page}/api/{kind}", params={"grid": "newcomer"})
    except requests.ConnectionError:
        return []
    return answer.json()[kind] if answer.ok else []


def checked(run: MakeRun, token_file: Path, tmp_path: Path) -> str:
    """What `--check` of a collector elsewhere says of the page."""
    environment = collector_environment(
        tmp_path / "elsewhere", "127.0.0.1:1", GRID="newcomer", INVENTORY_URL=run.page,
        INVENTORY_TOKEN_FILE=token_file,
    )  # fmt: skip
    rows = map(json.loads, run_collector("--check", "--json", environment=environment).stdout.splitlines())
    (level,) = (row["level"] for row in rows if row["name"] == f"{run.page}/api/inventory/newcomer")
    return str(level)


def test_single_vms_and_jobs_reach_the_page_and_survive_a_restart(
    run: MakeRun, pool: CondorPool, tmp_path: Path
) -> None:
    run.start()
    wait_until(lambda: len(listed(run, "jobs")) == 4, f"four jobs on the page: {run.log}")
    jobs = {job["id"]: job for job in listed(run, "jobs")}
    for ad in pool.jobs():
        job = jobs[f"{ad['ClusterId']}.{ad['ProcId']}"]
        assert (job["user"], job["since"]) == (ad["Owner"], ad["EnteredCurrentStatus"])
        assert (job["status"] == "held") == (ad["JobStatus"] == 5)
        assert (job["host"], job["cloud"]) == ((HOST, "east") if ad["JobStatus"] == 2 else ("", ""))
    vms = {vm["host"]: vm for vm in listed(run, "vms")}
    assert (vms[HOST]["registered"], vms[HOST]["busy_slots"], vms[HOST]["name"]) == (True, 1, "id-0")
    assert vms["east-9.test.local"]["registered"] is False
    (held,) = (number for number, job in jobs.items() if "script" in job["hold_reason"])
    for place in ("jobs", f"jobs/{held}"):
        text = ask.get(f"{run.page}/grids/newcomer/{place}").text
        assert "<script>alert" not in text
        assert HOSTILE in html.unescape(text)

    secret = run.state / "inventory-token"
    assert secret.stat().st_mode & 0o777 == 0o600
    before = secret.read_text()
    assert "/api/inventory" not in run.output()  # no push failed, not even the first one
    assert checked(run, secret, tmp_path) == "ok"
    (tmp_path / "another").write_text("secret-of-another-page")
    assert checked(run, tmp_path / "another", tmp_path) == "failed"
    run.interrupt()
    run.wait_gone()
    run.variables["COLLECTOR_INVENTORY_URL"] = ""  # nothing is sent from now on
    run.start()
    wait_until(lambda: len(listed(run, "jobs")) == 4, f"what was sent before: {run.log}")
    assert secret.read_text() == before
    refused = ask.put(f"{run.page}/api/inventory/newcomer", json={})
    assert refused.status_code == 401
    run.interrupt()
    run.wait_gone()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:5001"),
        ({"WEBAPP_HOST": "0.0.0.0"}, "http://127.0.0.1:5001"),
        ({"WEBAPP_HOST": "::1"}, "http://[::1]:5001"),
        ({"WEBAPP_HOST": "10.0.0.7"}, "http://10.0.0.7:5001"),
    ],
)
def test_collector_and_page_share_one_secret(tmp_path: Path, given: dict[str, str], url: str) -> None:
    found = environment_of_inventory(given, 5001, tmp_path)
    assert found["COLLECTOR_INVENTORY_URL"] == url
    files = {found["COLLECTOR_INVENTORY_TOKEN_FILE"], found["WEBAPP_INVENTORY_TOKEN_FILE"]}
    assert files == {str(tmp_path / "inventory-token")}
    own = environment_of_inventory({"WEBAPP_INVENTORY_TOKEN_FILE": "/own"}, 5001, tmp_path)
    assert own["COLLECTOR_INVENTORY_TOKEN_FILE"] == "/own"
