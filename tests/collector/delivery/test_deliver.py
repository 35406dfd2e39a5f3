"""Whole runs of the collector against what may befall their destinations and their state directory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from cloud_monitor.metrics.paths import clean
from collector.delivery.destinations import parse_destinations
from collector.delivery.spool import Kept, Spool, read_figures
from collector.loop import RUN_OF
from tests.collector.support import ROOT, collector_environment, peer, read_to_end, run_collector
from tests.services.graphite import Graphite
from tests.services.support import PATIENCE_S, wait_until

QUICK = {"CONNECT_TIMEOUT_S": 1, "WRITE_TIMEOUT_S": 1}


def beats(graphite: Graphite, grid: str) -> int:
    series = graphite.render(f"grids.{grid}.heartbeat.cloud_monitor")
    return sum(value == 1 for one in series for value, _ in one["datapoints"])  # type: ignore[attr-defined]


def waiting(state_dir: Path, destination: str) -> int:
    figures = read_figures(state_dir / "spool" / f"{clean(destination)}.sqlite")
    return figures.points if figures else 0


def test_a_dead_destination_never_delays_another(graphite: Graphite, tmp_path: Path) -> None:
    taken_at: list[float] = []

    def take(connection: socket.socket) -> None:
        read_to_end(connection)
        taken_at.append(time.monotonic())

    with peer(lambda _: threading.Event().wait()) as silent, peer(take) as well:
        carbon = f"{silent},{well},127.0.0.1:1,tcp+plain://{graphite.plain}"
        started = time.monotonic()
        ended = run_collector(
            environment=collector_environment(tmp_path, carbon, GRID="several", WRITE_TIMEOUT_S=4)
        )
        took_s = time.monotonic() - started
    assert took_s > 8
    assert taken_at[0] - started < took_s - 6  # the silent one's time was not waited for
    assert ended.returncode == 1
    assert f"{silent}: no answer" in ended.stderr
    assert "127.0.0.1:1: connection refused" in ended.stderr
    assert well not in ended.stderr
    assert waiting(tmp_path, silent) > 20
    assert waiting(tmp_path, well) == 0
    wait_until(lambda: beats(graphite, "several") == 1, "the heartbeat by the plaintext protocol")


def test_what_waited_is_delivered_by_the_next_run_and_counted(graphite: Graphite, tmp_path: Path) -> None:
    dead = collector_environment(tmp_path, "127.0.0.1:1", GRID="later", **QUICK)
    kept = run_collector("--print", environment=dead)
    assert kept.returncode == 3
    count = len(kept.stdout.splitlines())
    spools = tmp_path / "spool"
    (spools / f"{clean('127.0.0.1:1')}.sqlite").rename(spools / f"{clean(graphite.carbon)}.sqlite")
    ended = run_collector(
        "--print", environment=collector_environment(tmp_path, graphite.carbon, GRID="later")
    )
    assert ended.returncode == 0, ended.stderr
    assert f"{count} points delivered late, 0 still wait" in ended.stderr
    figures = {path: float(value) for path, value, _ in (line.split() for line in ended.stdout.splitlines())}
    assert figures["grids.later.collector.spooled_points"] == count  # as the run began
    assert figures[f"grids.later.collector.destinations.{clean(graphite.carbon)}.spooled_points"] == count


def test_points_for_a_carbon_that_is_no_longer_configured_are_told(
    graphite: Graphite, tmp_path: Path
) -> None:
    run_collector(environment=collector_environment(tmp_path, "127.0.0.1:1", **QUICK))
    moved = collector_environment(tmp_path, graphite.carbon, GRID="moved")
    ended = run_collector(environment=moved)
    assert ended.returncode == 1
    assert f"{clean('127.0.0.1:1')}.sqlite" in ended.stderr
    assert "not in COLLECTOR_CARBON any more" in ended.stderr
    assert "not in COLLECTOR_CARBON any more" in run_collector("--check", environment=moved).stdout


@pytest.mark.parametrize("state_dir", ["/proc/no/such/place", "a file"])
def test_a_directory_that_cannot_be_written_is_told_and_the_fresh_points_still_go(
    graphite: Graphite, tmp_path: Path, state_dir: str
) -> None:
    grid = "unwritable"
    if state_dir == "a file":
        (tmp_path / "file").write_text("")
        grid, state_dir = "file", str(tmp_path / "file")
    ended = run_collector(environment=collector_environment(Path(state_dir), graphite.carbon, GRID=grid))
    assert ended.returncode == 1
    assert f"COLLECTOR_STATE_DIR={state_dir}" in ended.stderr
    assert "cannot keep points" in ended.stderr
    wait_until(lambda: beats(graphite, grid) == 1, "the heartbeat")
    lost = run_collector(environment=collector_environment(Path(state_dir), "127.0.0.1:1", **QUICK))
    assert lost.returncode == 3
    assert "LOST" in lost.stderr


def test_a_full_disk_is_told_and_the_fresh_points_still_go(graphite: Graphite, tmp_path: Path) -> None:
    """A limit of nought on the size of files fails writes as a full disk does."""
    run_collector(environment=collector_environment(tmp_path, graphite.carbon, GRID="full"))
    ended = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -f 0; exec {sys.executable} -m collector"],
        env=collector_environment(tmp_path, graphite.carbon, GRID="full2"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert "cannot keep points" in ended.stderr
    wait_until(lambda: beats(graphite, "full2") == 1, "the heartbeat")
    again = run_collector(environment=collector_environment(tmp_path, graphite.carbon, GRID="full"))
    assert again.returncode == 0, again.stderr


def test_a_corrupt_spool_is_set_aside_and_a_new_one_begun(graphite: Graphite, tmp_path: Path) -> None:
    spool = tmp_path / "spool" / f"{clean(graphite.carbon)}.sqlite"
    spool.parent.mkdir()
    spool.write_bytes(os.urandom(50_000))
    environment = collector_environment(tmp_path, graphite.carbon, GRID="corrupt")
    ended = run_collector(environment=environment)
    assert ended.returncode == 1
    assert "a new spool is begun" in ended.stderr
    assert [path.stat().st_size for path in spool.parent.glob("*.corrupt-*")] == [50_000]
    assert run_collector(environment=environment).returncode == 0


def test_four_runs_at_once_on_one_spool_lose_nothing(graphite: Graphite, tmp_path: Path) -> None:
    """Should the lock ever fail, SQLite still keeps them apart."""
    now = int(time.time()) // 60 * 60

    def deliver(number: int) -> subprocess.CompletedProcess[str]:
        arguments = {"carbon": graphite.carbon, "state_dir": str(tmp_path), "timestamp": now - 60 * number}
        text = json.dumps(arguments | {"points": 300, "graphite_url": ""})
        command = [sys.executable, "-m", "tests.collector.delivery.deliver_once", text]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)

    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(deliver, range(4)))
    for one in ended:
        assert one.stdout.startswith("kept\n"), one.stderr
        assert json.loads(one.stdout.splitlines()[1])["delivered"]
    assert waiting(tmp_path, graphite.carbon) == 0


def test_every_minute_in_step_with_the_clock_until_a_signal(graphite: Graphite, tmp_path: Path) -> None:
    environment = collector_environment(tmp_path, graphite.carbon, GRID="every", LOG_LEVEL="info")
    process = subprocess.Popen([sys.executable, "-m", "collector", "--every", "2"], env=environment, cwd=ROOT)
    try:
        wait_until(lambda: beats(graphite, "every"), "the first run, at once", process=process)
        wait_until(lambda: run_of(process.pid), "a second run", process=process)
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    wait_until(lambda: run_of(process.pid) is None, "the run's end")


def run_of(loop: int) -> int | None:
    """The run that it waits for."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes().endswith(f"\0{RUN_OF}\0{loop}\0".encode()) and path.parent.name != str(loop):
                return int(path.parent.name)
    return None


def test_a_cluster_gets_each_point_once_and_a_dead_node_keeps_only_its_share(
    graphite: Graphite, tmp_path: Path
) -> None:
    host, _, port = graphite.carbon.partition(":")
    cluster = f"ring://{host}:{port}:a;127.0.0.1:1:b"
    ended = run_collector(
        "--print", environment=collector_environment(tmp_path, cluster, GRID="ring", **QUICK)
    )
    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    spools = sorted((tmp_path / "spool").glob("*.sqlite"))
    assert len(spools) == 2
    kept = sum(figures.points for path in spools if (figures := read_figures(path)))
    assert 0 < kept < len(lines)

    def stored() -> int:
        series = graphite.render("grids.ring.*", "grids.ring.*.*", "grids.ring.*.*.*", "grids.ring.*.*.*.*")
        return sum(any(value is not None for value, _ in one["datapoints"]) for one in series)  # type: ignore[attr-defined]

    wait_until(lambda: stored() == len(lines) - kept, "the other node's share")


@pytest.mark.parametrize(
    "store",
    [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("graphite", "victoriametrics")],
)
def test_both_stores_prove_a_delivery(request: pytest.FixtureRequest, tmp_path: Path, store: str) -> None:
    service = request.getfixturevalue(store)
    carbon = service.carbon if isinstance(service, Graphite) else f"tcp+plain://{service.plain}"
    now = int(time.time()) // 60 * 60
    path = tmp_path / f"{parse_destinations(carbon)[0].name}.sqlite"

    def deliver(timestamp: int) -> None:
        arguments = {"carbon": carbon, "state_dir": str(tmp_path), "timestamp": timestamp, "points": 20}
        text = json.dumps(arguments | {"graphite_url": service.url})
        command = [sys.executable, "-m", "tests.collector.delivery.deliver_once", text]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        assert json.loads(ended.stdout.splitlines()[-1])["problems"] == [], ended.stdout

    deliver(now - 180)
    (first,) = delivered(path)
    assert first.marker is not None
    wait_until(lambda: service.render(first.marker.path), "the marker in the store")
    deliver(now - 120)
    assert [frame.id for frame in delivered(path)] == [first.id + 1]  # the first is proven and gone


def delivered(path: Path) -> list[Kept]:
    spool = Spool(path)
    try:
        return spool.delivered(0)
    finally:
        spool.close()
