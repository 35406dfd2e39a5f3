"""Delivery through a failing network into a real Carbon, killed at random: nothing that was kept is lost."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.delivery.deliver_once import points_of
from tests.collector.delivery.fault_proxy import FAULTS, FaultProxy
from tests.collector.support import ROOT
from tests.services.graphite import Graphite
from tests.services.support import PATIENCE_S

POINTS = 40
Missing = set[tuple[str, int]] | frozenset[tuple[str, int]]


class Soak:
    """Runs of one collector, a minute of its clock apart, through one proxy into one Carbon."""

    def __init__(
        self, graphite: Graphite, proxy: FaultProxy, state_dir: Path, runs: int, proof: bool
    ) -> None:
        self.graphite, self.proxy, self.state_dir = graphite, proxy, state_dir
        self.proof = proof
        self.now = (int(time.time()) // 60 - runs - 60) * 60
        self.acknowledged: list[
            int
        ] = []  # timestamps of runs whose points were told to be kept, or delivered
        self.killed = 0

    def run(self, kill_after_s: float | None = None) -> dict[str, object] | None:
        """One run; its report, or None where it was killed."""
        self.now += 60
        arguments = {
            "carbon": self.proxy.address,
            "state_dir": str(self.state_dir),
            "timestamp": self.now,
            "points": POINTS,
            "graphite_url": self.graphite.url if self.proof else "",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.collector.delivery.deliver_once", json.dumps(arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        killer = threading.Timer(kill_after_s or 0, process.kill)
        if kill_after_s is not None:
            killer.start()
        output, errors = process.communicate(timeout=300)
        killer.cancel()
        lines = output.split("\n")
        assert process.returncode in (0, -9), errors
        if "kept" in lines:
            self.acknowledged.append(self.now)
        self.killed += process.returncode == -9
        return json.loads(lines[-2]) if process.returncode == 0 else None

    def drain(self) -> None:
        """With the network well again, runs until nothing waits and, with proof, nothing is unproven.

        A frame that was swallowed several times is looked for over half an hour (of the runs' clock) before
        it goes again. The frame of a run itself is always young, so one is left.
        """
        self.proxy.set_fault("pass")
        report: dict[str, object] | None = None
        for _ in range(120):
            report = self.run()
            if (
                report
                and not report["waiting"]
                and not report["problems"]
                and int(str(report["unproven"])) <= 1
            ):
                return
            time.sleep(0.05)
        raise AssertionError(f"the spool does not drain: {report}")

    def missing(self, allowed: Missing = frozenset()) -> Missing:
        """Acknowledged points that render does not return with the right value and time.

        Carbon shows a new metric only once its file is made, so a look that finds more missing than is
        allowed is taken again for a while.
        """
        until_s = time.monotonic() + PATIENCE_S
        while not (missing := self._missing()) <= allowed and time.monotonic() < until_s:
            time.sleep(0.5)
        return missing

    def _missing(self) -> Missing:
        found: dict[str, dict[int, float]] = {}
        for series in self.graphite.render("soak.x*", since=str(self.acknowledged[0] - 120)):
            points: list[tuple[float | None, int]] = series["datapoints"]  # type: ignore[assignment]
            found[str(series["target"])] = {at: value for value, at in points if value is not None}
        expected = (point for timestamp in self.acknowledged for point in points_of(timestamp, POINTS))
        return {(p.path, p.timestamp) for p in expected if found.get(p.path, {}).get(p.timestamp) != p.value}


@pytest.fixture
def proxy(graphite: Graphite) -> Iterator[FaultProxy]:
    proxy = FaultProxy(graphite.carbon)
    yield proxy
    proxy.close()


@pytest.fixture
def own_proxy(own_graphite: Graphite) -> Iterator[FaultProxy]:
    proxy = FaultProxy(own_graphite.carbon)
    yield proxy
    proxy.close()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("proof", [False, True], ids=["without proof", "with proof"])
@pytest.mark.parametrize("runs", [20, pytest.param(250, marks=pytest.mark.soak)])
def test_runs_with_a_random_fault_and_a_random_kill_lose_nothing_that_was_kept(
    own_graphite: Graphite, own_proxy: FaultProxy, tmp_path: Path, runs: int, proof: bool
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    soak = Soak(own_graphite, own_proxy, tmp_path / "spool", runs, proof)
    started_s = time.monotonic()
    soak.run()
    undisturbed_s = time.monotonic() - started_s  # kills are spread over a run, on a slow machine too
    for _ in range(runs):
        own_proxy.set_fault(dice.choice(FAULTS), after_bytes=dice.randrange(3000))
        soak.run(kill_after_s=undisturbed_s * dice.uniform(0.3, 2.5))
    soak.drain()
    print(
        f"{soak.killed} of {runs} killed, {len(soak.acknowledged)} kept, {len(own_proxy.swallowed)} swallowed"
    )
    assert soak.killed
    assert len(soak.acknowledged) > runs / 4
    allowed = frozenset() if proof else own_proxy.swallowed
    assert soak.missing(allowed) <= allowed, f"seed {seed}"


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "pass"])
def test_one_fault_at_a_time(graphite: Graphite, proxy: FaultProxy, tmp_path: Path, fault: str) -> None:
    soak = Soak(graphite, proxy, tmp_path, FAULTS.index(fault) * 10 + 10, proof=fault == "discard")
    proxy.set_fault(fault, after_bytes=700)
    report = soak.run()
    assert report is not None
    assert report["delivered"] == (fault in ("delay", "discard"))
    if fault not in ("delay", "discard"):
        assert report["waiting"] == POINTS
        assert proxy.address in str(report["problems"])
    soak.drain()
    assert soak.missing() == set()
    assert (fault == "discard") == bool(proxy.swallowed)


def test_fresh_points_go_first_and_an_outage_is_replayed(
    graphite: Graphite, proxy: FaultProxy, tmp_path: Path
) -> None:
    soak = Soak(graphite, proxy, tmp_path, 200, proof=False)
    proxy.set_fault("refuse")
    for _ in range(6):
        report = soak.run()
    assert report is not None
    assert (report["delivered"], report["waiting"]) == (False, 6 * POINTS)
    proxy.set_fault("pass")
    assert soak.run() == {"delivered": True, "waiting": 0, "unproven": 0, "problems": []}
    soak.drain()
    assert soak.missing() == set()


def test_a_store_that_was_killed_gets_again_what_its_cache_may_have_lost(
    own_graphite: Graphite, own_proxy: FaultProxy, tmp_path: Path
) -> None:
    soak = Soak(own_graphite, own_proxy, tmp_path, 300, proof=False)
    soak.run()
    own_graphite.kill_carbon()
    own_proxy.set_fault("refuse")
    soak.run()
    own_graphite.start_carbon()
    soak.drain()
    assert soak.missing() == set()
