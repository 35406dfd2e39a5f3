"""Bring a run's points to every destination at once, so that a dead one never delays another."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from cloud_monitor.metrics.paths import clean
from collector.delivery.destinations import Destination, Ring
from collector.delivery.readback import Readback
from collector.delivery.sender import Options, Report, Sender, send_points
from collector.delivery.spool import SpoolFigures, read_figures
from collector.model import Point


def senders_of(destination: Destination, spool_dir: Path, readback: Readback | None = None) -> list[Sender]:
    """One for a single Carbon, or one for each node of a cluster."""
    if len(destination.nodes) == 1:
        (node,) = destination.nodes
        path = spool_dir / f"{destination.name}.sqlite"
        return [Sender(destination.name, node.address, path, lambda _: True, readback)]
    ring = Ring(destination)
    return [
        Sender(
            destination.name,
            node.address,
            spool_dir / f"{destination.name}.{clean(f'{node.address}:{node.instance}')}.sqlite",
            lambda path, node=node: node in ring.nodes_of(path),  # type: ignore[misc]
            readback,
        )
        for node in destination.nodes
    ]


def deliver(
    points: Sequence[Point], senders: Sequence[Sender], options: Options, now: int, deadline_s: float
) -> list[Report]:
    """Send side by side until done, or until `deadline_s` (monotonic); a late sender is left behind."""
    reports = [Report(sender) for sender in senders]
    threads = []
    for report in reports:
        own = [point for point in points if report.sender.keeps(point.path)]
        report.points = len(own)
        thread = threading.Thread(
            target=send_points, args=(report, own, options, now, deadline_s), daemon=True
        )
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join(max(0.0, deadline_s - time.monotonic()))
    for report in reports:
        if not report.done and not report.delivered:
            report.problems.append(f"{report.sender.address}: no answer by the end of the run")
    return reports


def read_spool_figures(senders: Sequence[Sender]) -> dict[str, SpoolFigures]:
    """The numbers of each destination's spools as they are now, summed over a cluster's nodes."""
    sums: dict[str, SpoolFigures] = {}
    for sender in senders:
        mine = read_figures(sender.spool_path) or SpoolFigures()
        sofar = sums.get(sender.destination, SpoolFigures())
        oldest = [stamp for stamp in (mine.oldest_timestamp, sofar.oldest_timestamp) if stamp is not None]
        sums[sender.destination] = SpoolFigures(
            mine.points + sofar.points,
            min(oldest, default=None),
            mine.dropped + sofar.dropped,
            mine.resent + sofar.resent,
        )
    return sums


def find_orphaned(spool_dir: Path, senders: Sequence[Sender]) -> list[tuple[Path, int]]:
    """Spools of Carbons that are no longer configured, with the points that wait in each."""
    own = {sender.spool_path for sender in senders}
    try:
        others = [path for path in sorted(spool_dir.glob("*.sqlite")) if path not in own]
    except OSError:  # the senders tell what is wrong with the folder
        return []
    waiting = ((path, read_figures(path)) for path in others)
    return [(path, figures.points) for path, figures in waiting if figures and figures.points]
