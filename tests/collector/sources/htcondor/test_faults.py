"""A schedd or a collector daemon that refuses, is silent, or answers rubbish costs its own figures alone."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.collector.support import collector_environment, peer, run_collector
from tests.services.condor import CondorPool
from tests.services.support import free_port

TIMEOUT_S = 4
FAULTS = ("refusing", "silent", "rubbish")


def silent(connection: socket.socket) -> None:
    """Accepts, reads, and never answers."""
    while connection.recv(1 << 16):
        pass


def rubbish(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    connection.sendall(b"\xffHTTP/1.1 418 teapot\r\n\r\n" * 100)


@pytest.fixture(params=FAULTS)
def faulty_address(request: pytest.FixtureRequest) -> Iterator[str]:
    with ExitStack() as stack:
        if request.param == "refusing":
            yield f"127.0.0.1:{free_port()}"
        else:
            yield stack.enter_context(peer({"silent": silent, "rubbish": rubbish}[request.param]))


def run(pool: CondorPool, state_dir: Path, **settings: object) -> tuple[int, str, dict[str, float], float]:
    """Exit code, standard error, values by path, and seconds of a dry run against the pool."""
    environment = pool.env() | collector_environment(
        state_dir, "127.0.0.1:1", **{"SOURCES": "host,condor", "SOURCE_TIMEOUT_S": TIMEOUT_S} | settings
    )
    environment["CONDOR_CONFIG"] = str(pool.config)
    started = time.monotonic()
    done = run_collector("--dry-run", environment=environment)
    values = {path: float(value) for path, value, _ in map(str.split, done.stdout.splitlines())}
    return done.returncode, done.stderr, values, time.monotonic() - started


def test_a_faulty_schedd_costs_the_jobs_alone(
    condor_pool: CondorPool, faulty_address: str, tmp_path: Path
) -> None:
    with condor_pool.advertised_schedd("faulty.example", faulty_address):
        status, errors, values, taken_s = run(condor_pool, tmp_path, CONDOR_SCHEDDS="faulty.example")
    assert status == 1
    assert "faulty.example" in errors
    assert "condor_jobs" in errors
    assert taken_s < TIMEOUT_S + 6
    assert not any(path.startswith("grids.g.jobs.") for path in values)
    assert values["grids.g.slots.partitionable.total"] == 1
    assert values["grids.g.sysinfo.load"] >= 0
    assert values["grids.g.heartbeat.condor"] == 0


def test_a_faulty_collector_daemon_costs_the_slots_alone(
    condor_pool: CondorPool, faulty_address: str, tmp_path: Path
) -> None:
    status, errors, values, taken_s = run(condor_pool, tmp_path, CONDOR_COLLECTORS=faulty_address)
    assert status == 1
    assert faulty_address in errors
    assert "condor_slots" in errors
    assert taken_s < TIMEOUT_S + 6
    assert not any(path.startswith("grids.g.slots.") for path in values)
    assert values["grids.g.jobs.all.total"] == 0
    assert values["grids.g.sysinfo.load"] >= 0
    assert values["grids.g.heartbeat.condor"] == 0


def test_a_schedd_that_nobody_knows_is_named(condor_pool: CondorPool, tmp_path: Path) -> None:
    status, errors, _, _ = run(condor_pool, tmp_path, CONDOR_SCHEDDS="nowhere.example")
    assert status == 1
    assert "nowhere.example" in errors
    assert "condor_status -schedd" in errors


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("mcore = RequestCpus >", "RequestCpus >: is not a ClassAd expression"),
        ('mcore = startsWith(TargetClouds, "IAAS")', "calls startsWith(), which ClassAd does not have"),
    ],
)
def test_a_faulty_job_type_is_refused_at_start(
    condor_pool: CondorPool, tmp_path: Path, expression: str, told: str
) -> None:
    status, errors, values, _ = run(condor_pool, tmp_path, JOB_TYPES=f"fine = true; {expression}")
    assert status == 2
    assert "COLLECTOR_JOB_TYPES" in errors
    assert told in errors
    assert "mcore" in errors
    assert not values
