"""`make run PROFILE=edge`: the same page over VictoriaMetrics, which scrapes it; its benchmark, in small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bench.limits import can_limit
from tests.services import ask
from tests.services.made import ROOT, MakeRun, copy_tracked, share_installed
from tests.services.support import wait_until
from tests.services.victoriametrics import require_program

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[MakeRun]:
    require_program()
    copy_tracked(tmp_path / "cloud-monitor")
    share_installed(tmp_path / "cloud-monitor")
    scrape = tmp_path / "cloud-monitor/docs/prometheus/prometheus.yml"
    assert "scrape_interval: 60s" in scrape.read_text()
    scrape.write_text(scrape.read_text().replace("scrape_interval: 60s", "scrape_interval: 5s"))
    run = MakeRun(tmp_path / "cloud-monitor", COLLECTOR_GRID="newcomer", PROFILE="edge")
    yield run
    run.clean_up()


def shows_grid(run: MakeRun) -> bool:
    try:
        return "newcomer" in ask.get(run.page + "/").text
    except requests.ConnectionError:
        assert not run.has_ended(), run.output()
        return False


def scrapes(run: MakeRun) -> bool:
    """Whether the store holds figures that it scraped from the page."""
    query = {"query": 'count({job="cloud_monitor", __name__!~"up|scrape_.*"})'}
    return bool(ask.get(f"{run.graphite}/api/v1/query", params=query).json()["data"]["result"])


def test_edge_profile_shows_this_host_and_scrapes_its_page(run: MakeRun) -> None:
    run.start()
    wait_until(lambda: shows_grid(run), f"the grid on the page: {run.log}")
    assert f'href="{run.graphite}/"' in ask.get(run.page + "/").text
    assert "vmui" in ask.get(f"{run.graphite}/").text
    wait_until(lambda: scrapes(run), "the page's own metrics in the store")
    run.interrupt()
    run.wait_gone()

    run.start()
    target = {"target": "grids.newcomer.sysinfo.load", "from": "-1h", "format": "json"}
    wait_until(lambda: shows_grid(run), "the page after a restart")
    assert ask.get(f"{run.graphite}/render", params=target).json() != []
    run.interrupt()
    run.wait_gone()


def test_unknown_profile_is_refused(run: MakeRun) -> None:
    run.variables["PROFILE"] = "tiny"
    run.start()
    assert run.wait() != 0
    assert "PROFILE=tiny refused: one of default, edge is expected" in run.output()


def test_benchmark_of_the_small_machine_runs(tmp_path: Path) -> None:
    require_program()
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "bench.edge", "--tiny", "--report", str(report)]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    lines = {line["name"]: line for line in map(json.loads, ended.stdout.splitlines())}
    assert all({"name", "value", "unit"} <= set(line) for line in lines.values())
    assert lines["edge.killed"] == {
        "name": "edge.killed", "value": 0, "unit": "processes", "limited": can_limit(), "ended": [],
    }  # fmt: skip
    assert lines["edge.visits"]["failed"] == 0
    assert lines["edge.burst"]["failed"] == 0
    for name in ("edge.pss.between_runs", "edge.pss.at_peak", "edge.installed"):
        assert lines[name]["against"] == "default profile"
        assert lines[name]["ratio"] > 0
    services = {name.removeprefix("edge.pss.") for name in lines if name.startswith("edge.pss.")}
    assert services >= {"store", "collector", "web"}
    told = json.loads(report.read_text())
    edge, default = told["profiles"]["edge"], told["profiles"]["default"]
    assert [len(edge[name]) for name in ("between_mb", "alone_mb", "peaks_mb", "load")] == [2] * 4
    assert set(edge["cpu_s"]) == {"web", "collector", "store"}
    assert edge["cpu_s"]["web"] > 0
    assert set(default["cpu_s"]) == {"web", "collector", "carbon", "graphite"}
    assert told["burst"]["pages"] == 1000
    if can_limit():  # by root, whom the kernel tells which frames are whose
        for alone_mb, parts in zip(edge["alone_mb"], edge["between_mb"], strict=True):
            assert alone_mb > 0.7 * (parts["web"] + parts["store"])
