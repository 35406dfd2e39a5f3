"""State that version 0.1.0 left (tests/data/v0_1_0) is taken up by the programs of today."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from collector.zerofill import read_seen, zero_paths
from tests.collector.support import collector_environment, peer, read_to_end, run_collector
from tests.services.needs import need
from tests.services.pages import run_page
from tests.worker.fleet import EAGER, ROOT, RUN

LEFT = Path(__file__).parents[1] / "data/v0_1_0"


@pytest.fixture
def left(tmp_path: Path) -> Path:
    shutil.copytree(LEFT, tmp_path / "left")
    return tmp_path / "left"


def test_the_page_shows_what_it_had_with_its_events_and_lists(left: Path) -> None:
    token = left / "token"
    token.write_text("of-the-tests-alone\n")
    polled = json.loads((LEFT / "webapp/snapshot.json").read_text())
    with run_page(left / "webapp", INVENTORY_TOKEN_FILE=token) as page:
        url = page.url

        def get(path: str) -> requests.Response:
            answer = requests.get(f"{url}{path}", timeout=60)
            assert answer.status_code == 200, answer.text
            return answer

        values = get("/api/status").json()["values"]
        assert {path: (one["value"], one["timestamp"]) for path, one in values.items()} == {
            path: (value, at)
            for path, value, at in zip(polled["paths"], polled["values"], polled["timestamps"], strict=True)
        }
        page = get("/").text
        for message in ("condor does not answer", "condor answers again", "cloud_scheduler does not answer"):
            assert message in page
        vms = get("/api/vms?limit=100").json()["vms"]
        hosts = {vm["host"] for vm in vms if vm["gone_at"] is None}
        assert hosts == {f"vm{n}.{'uvic' if n in (10, 11) else 'cern'}.example" for n in range(2, 13)}
        jobs = {job["id"]: job for job in get("/api/jobs?limit=100").json()["jobs"]}
        assert sorted(jobs) == ["100.0", "100.1", "100.2", "99.0"]
        assert [change["status"] for change in jobs["100.0"]["changes"]] == ["running", "held"]
        assert 'cloud_monitor_polls_total{result="ok"} 7.0' in get("/metrics").text


def sent_by_0_1_0() -> set[tuple[str, float, int]]:
    rows = (line.split() for line in (LEFT / "collector-sent.txt").read_text().splitlines())
    return {(path, float(value), int(at)) for path, value, at in rows}


def points_of(stream: bytes) -> Iterator[tuple[str, float, int]]:
    """(path, value, timestamp) of what a pickle receiver was sent."""
    while stream:
        (length,) = struct.unpack("!L", stream[:4])
        for path, (at, value) in pickle.loads(stream[4 : 4 + length]):
            yield path, value, at
        stream = stream[4 + length :]


def test_a_collector_delivers_what_waited_with_its_timestamps(left: Path) -> None:
    received = bytearray()

    def receive(connection: socket.socket) -> None:
        received.extend(read_to_end(connection))

    state = left / "collector"
    with peer(receive) as carbon:
        # As if that Carbon had been at this address: a spool is named for it.
        (waiting,) = (state / "spool").iterdir()
        before = set(waiting.parent.iterdir())
        environment = collector_environment(state, carbon, GRID="belle", SPOOL_MAX_AGE_S=100 * 366 * 86400)
        run_collector(environment=environment)
        (new,) = set(waiting.parent.iterdir()) - before
        waiting.replace(new)
        received.clear()
        ended = run_collector(environment=environment)
    assert ended.returncode == 0, ended.stderr
    expected = sent_by_0_1_0()
    assert len(expected) == 2 * 164
    assert expected - set(points_of(bytes(received))) == set()


def test_a_count_that_vanished_since_0_1_0_is_sent_as_zero() -> None:
    seen = read_seen(LEFT / "collector/seen.json")
    newest = max(at for _, _, at in sent_by_0_1_0())
    sent = {(path, at) for path, _, at in sent_by_0_1_0()}
    assert set(seen.items()) - sent == set()
    assert len(seen) == 141
    zeros = set(zero_paths(seen, (), {"condor_jobs"}, "belle", newest + 60))
    counts = {path.removeprefix("grids.belle.jobs.all.") for path in zeros}
    assert counts == {
        "total", "unexpanded", "idle", "running", "removed", "completed", "held", "transferring_output",
        "suspended",
    }  # fmt: skip


def test_a_fleet_ends_the_batch_that_was_half_done(left: Path, tmp_path: Path) -> None:
    need("fleet")
    pictures = tmp_path / "pictures"
    for directory in ("a", "b"):
        (pictures / directory).mkdir(parents=True)
        for number in range(8):
            (pictures / directory / f"{number:05}.png").write_bytes(bytes([number + 1]) * (number + 1))
    state = left / "worker"
    with closing(sqlite3.connect(state / "queue.db")) as queue, queue:  # the pictures have moved
        queue.execute("UPDATE batches SET source = ? WHERE source = '/srv/pictures'", (str(pictures),))
    environment = os.environ | EAGER
    environment |= {
        "WORKER_STATE_DIR": str(state),
        "WORKER_STORAGE_URL": str(pictures),
        "WORKER_RESULTS_URL": str(state / "results"),
        "WORKER_TEMP_DIR": str(tmp_path / "temp"),
    }

    def run(*command: str) -> str:
        ended = subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    worker = (sys.executable, "-m", "worker")
    before = json.loads(run(*worker, "status", "--json"))
    assert before["images"]["done"] == 15
    run(*RUN)
    after = json.loads(run(*worker, "status", "--json"))
    assert (after["images"]["done"], after["chunks"]["done"]) == (16, 2)
    rows = [json.loads(line) for line in run(*worker, "results", "--format", "jsonl").splitlines()]
    assert sorted(row["image"] for row in rows) == [f"{d}/{n:05}.png" for d in "ab" for n in range(8)]
    new = [row["image"] for row in rows if row["host"] != "host-a"]
    assert new == ["b/00007.png"], "what 0.1.0 had recognised is not done again"
