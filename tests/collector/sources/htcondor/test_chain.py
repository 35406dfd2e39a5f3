"""HTCondor through the whole chain: pool, collector, Carbon, Graphite; compared with a cloud scheduler."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.support import collector_environment, run_collector, write_script
from tests.collector.test_chain import lines_of, rendered
from tests.services.condor import CondorPool
from tests.services.graphite import Graphite
from tests.services.support import wait_until

pytestmark = pytest.mark.timeout(240)  # real jobs on a machine that may be busy

HOST = "127-0-0-1.test.local"  # the pool's own machine


@pytest.fixture
def busy_pool(condor_pool: CondorPool) -> Iterator[CondorPool]:
    """Two jobs run on the pool's machine, one waits; east-2 is in HTCondor alone."""
    condor_pool.submit("alice", queue=2)
    condor_pool.submit("bob", requirements="false")
    condor_pool.advertise_slots(
        [{"Name": "slot1@east-2.test.local", "Machine": "east-2.test.local", "CloudProvider": "east"}]
    )
    wait_until(lambda: sorted(condor_pool.statuses()) == [1, 2, 2], "two running jobs")
    slots = running_slots(condor_pool)
    wait_until(lambda: {slot["Name"].split("@")[0] for slot in condor_pool.slots()} >= slots, "their slots")
    yield condor_pool
    condor_pool.remove_jobs()
    condor_pool.invalidate_slots('Machine == "east-2.test.local"')


def running_slots(pool: CondorPool) -> set[str]:
    return {job["RemoteHost"].split("@")[0] for job in pool.jobs("JobStatus == 2")}


def environment_of(pool: CondorPool, state_dir: Path, carbon: str, **settings: object) -> dict[str, str]:
    given = collector_environment(state_dir, carbon, **{"SOURCES": "host,condor,cloudscheduler"} | settings)
    return pool.env() | given | {"CONDOR_CONFIG": str(pool.config)}


def cloud_status(path: Path) -> Path:
    """A cloud scheduler with two running VMs: the pool's own machine, and one that HTCondor does not know."""
    vms = [
        {"hostname": host, "vmtype": "worker", "uservmtype": "atlas:worker", "status": "Running"}
        for host in (HOST, "east-9.test.local")
    ]
    path.write_text(
        json.dumps({"resources": [{"name": "east", "enabled": True, "max_slots": 4, "vms": vms}]})
    )
    return path


def test_every_printed_point_of_a_pool_is_what_render_returns(
    busy_pool: CondorPool, graphite: Graphite, tmp_path: Path
) -> None:
    status = cloud_status(tmp_path / "status.json")
    environment = environment_of(
        busy_pool, tmp_path / "state", graphite.carbon, GRID="pool",
        CLOUD_STATUS_COMMAND=write_script(tmp_path / "cloud_status", f"cat {status}"),
        JOB_TYPES="short = RequestCpus == 1",
    )  # fmt: skip
    sent = run_collector("--print", environment=environment)
    assert sent.returncode == 0, sent.stderr
    lines = lines_of(sent.stdout)
    values = {path: value for path, value, _ in lines}
    own = {path.removeprefix("grids.pool."): value for path, value in values.items()}
    assert own["heartbeat.condor"] == 1
    assert (own["jobs.all.running"], own["jobs.short.idle"], own["wait.all.p50_s"] >= 0) == (2, 1, True)
    (vmtype,) = {path.split(".")[3] for path in own if path.startswith("clouds.east.vms.")}
    assert own[f"clouds.east.unreg.{vmtype}"] == 1  # east-9: running, not in HTCondor
    assert all(own[f"clouds.east.slots.{vmtype}.{slot}"] == 1 for slot in running_slots(busy_pool))
    assert own["clouds.east.jobs.all.running"] == 2
    assert own["clouds.east.jobs.short.total"] == 2
    assert own["clouds.east.idle.total"] == 0
    wait_until(lambda: len(rendered(graphite, lines)) == len(lines), "all points in render")
    assert rendered(graphite, lines) == values


def test_clouds_by_attribute_need_no_cloud_scheduler(busy_pool: CondorPool, tmp_path: Path) -> None:
    environment = environment_of(
        busy_pool, tmp_path, "127.0.0.1:1", SOURCES="condor", CONDOR_CLOUD_ATTRIBUTE="CloudProvider",
        CONDOR_CLOUD_PATTERN=r"^(?P<cloud>127)-",
    )  # fmt: skip
    done = run_collector("--dry-run", environment=environment)
    assert done.returncode == 0, done.stderr
    values = {path: value for path, value, _ in lines_of(done.stdout)}
    assert values["grids.g.clouds.127.jobs.all.running"] == 2
    assert all(values[f"grids.g.clouds.127.slots.vm.{slot}"] == 1 for slot in running_slots(busy_pool))
    assert values["grids.g.clouds.127.idle.total"] == 0
    assert values["grids.g.clouds.east.idle.total"] == 1
