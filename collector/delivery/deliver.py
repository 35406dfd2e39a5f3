"""Bring a run's points to every destination at once, so that a dead one never delays another."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from cloud_monitor.metrics.paths import clean
from collector.delivery.destinations import Destination
from collector.delivery.hash_ring import Ring
from collector.delivery.readback import Proof
from collector.delivery.sender import Lane, Options, Report, run_lane
from collector.delivery.spool import Figures, read_figures
from collector.model import Point


def lanes_of(destination: Destination, spool_dir: Path, proof: Proof | None = None) -> list[Lane]:
    """One lane for a single Carbon, or one for each node of a cluster."""
    if len(destination.nodes) == 1:
        (node,) = destination.nodes
        path = spool_dir / f"{destination.name}.sqlite"
        return [Lane(destination.name, node.address, path, lambda _: True, proof)]
    ring = Ring(destination)
    return [
        Lane(
            destination.name,
            node.address,
            spool_dir / f"{destination.name}.{clean(f'{node.address}:{node.instance}')}.sqlite",
            lambda path, node=node: node in ring.nodes_of(path),  # type: ignore[misc]
            proof,
        )
        for node in destination.nodes
    ]


def deliver(
    points: Sequence[Point], lanes: Sequence[Lane], options: Options, now: int, deadline_s: float
) -> list[Report]:
    """Run all lanes side by side until done, or until `deadline_s` (monotonic); a late one is left behind."""
    reports = [Report(lane) for lane in lanes]
    threads = []
    for report in reports:
        own = [point for point in points if report.lane.keeps(point.path)]
        report.points = len(own)
        thread = threading.Thread(target=run_lane, args=(report, own, options, now, deadline_s), daemon=True)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join(max(0.0, deadline_s - time.monotonic()))
    for report in reports:
        if not report.done and not report.delivered:
            report.problems.append(f"{report.lane.address}: no answer by the end of the run")
    return reports


def read_spool_figures(lanes: Sequence[Lane]) -> dict[str, Figures]:
    """The numbers of each destination's spools as they are now, summed over a cluster's nodes."""
    sums: dict[str, Figures] = {}
    for lane in lanes:
        mine, sofar = read_figures(lane.spool_path) or Figures(), sums.get(lane.destination, Figures())
        oldest = [stamp for stamp in (mine.oldest_timestamp, sofar.oldest_timestamp) if stamp is not None]
        sums[lane.destination] = Figures(
            mine.points + sofar.points,
            min(oldest, default=None),
            mine.dropped + sofar.dropped,
            mine.resent + sofar.resent,
        )
    return sums


def find_forsaken(spool_dir: Path, lanes: Sequence[Lane]) -> list[tuple[Path, int]]:
    """Spools of Carbons that are no longer configured, with the points that wait in each."""
    own = {lane.spool_path for lane in lanes}
    others = (path for path in sorted(spool_dir.glob("*.sqlite")) if path not in own)
    waiting = ((path, read_figures(path)) for path in others)
    return [(path, figures.points) for path, figures in waiting if figures and figures.points]
