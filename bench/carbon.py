"""Points into a real Carbon: this project's frames with the close handshake, against graphyte's batches.

Our time ends when Carbon has shown that it read everything. graphyte shows nothing: it returns when its last
batch is in the kernel's buffers, while Carbon still works. So it is timed twice: until it returns, and until
Carbon has read what it sent, told by a connection behind it. The CPU seconds that Carbon itself takes to read
our points stand beside them: no sender that shows delivery can be quicker. Each round has its own Carbon.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import graphyte
import psutil

from collector.delivery.carbon import Timeouts, send_frames
from collector.delivery.destinations import Address, parse_destinations
from collector.delivery.frames import encode_frame, split_points
from collector.model import Point
from tests.services.graphite import Graphite, run_graphite

TIMEOUTS = Timeouts(connect_s=5, write_s=60)


def make_points(count: int) -> list[Point]:
    """A grid with many VMs, in the shape of real paths."""
    now = int(time.time()) // 60 * 60
    return [
        Point(f"grids.g{i % 5}.clouds.c{i // 5 % 20:02d}.vms.type{i // 1000:04d}.s{i}", now, float(i))
        for i in range(count)
    ]


class Took(NamedTuple):
    """Seconds until the sender returned, until Carbon had read everything, and of Carbon's CPU meanwhile."""

    return_s: float
    read_s: float
    carbon_cpu_s: float = 0.0


def send_ours(graphite: Graphite, points: Sequence[Point]) -> Took:
    started_s = time.perf_counter()
    send_frames(
        address_of(graphite.carbon), (encode_frame(chunk) for chunk in split_points(points)), TIMEOUTS
    )
    took_s = time.perf_counter() - started_s
    return Took(took_s, took_s)


def send_by_graphyte(graphite: Graphite, points: Sequence[Point]) -> Took:
    host, _, port = graphite.plain.partition(":")
    started_s = time.perf_counter()
    sender = graphyte.Sender(host, int(port), interval=3600, queue_size=len(points) + 1)
    for path, timestamp, value in points:
        sender.send(path, value, timestamp)
    sender.stop()
    return_s = time.perf_counter() - started_s
    send_frames(address_of(f"tcp+plain://{graphite.plain}"), (), TIMEOUTS)
    return Took(return_s, time.perf_counter() - started_s)


def address_of(text: str) -> Address:
    return parse_destinations(text)[0].nodes[0].address


def measure(send: Callable[[Graphite, Sequence[Point]], Took], points: Sequence[Point]) -> Took:
    """One round with a new Carbon."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-carbon-") as folder,
        run_graphite(Path(folder), web=False) as graphite,
    ):
        carbon = psutil.Process(graphite.pid("carbon"))
        before_s = sum(carbon.cpu_times()[:2])
        took = send(graphite, points)
        took = took._replace(carbon_cpu_s=sum(carbon.cpu_times()[:2]) - before_s)
        graphite.kill_carbon()
        return took


def report(name: str, ours_s: float, theirs_s: float, peer: str) -> None:
    row = {
        "name": name,
        "value": round(ours_s, 4),
        "unit": "s",
        "against": f"{peer}: {theirs_s:.4f} s",
        "ratio": round(ours_s / theirs_s, 3) if theirs_s else None,
    }
    print(json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="200 points, once: for the output only")
    tiny = parser.parse_args().tiny
    for count in (200,) if tiny else (20_000, 200_000):
        points = make_points(count)
        rounds = [
            (measure(send_ours, points), measure(send_by_graphyte, points)) for _ in range(1 if tiny else 5)
        ]
        ours_s = statistics.median(ours.read_s for ours, _ in rounds)
        read_s = statistics.median(theirs.read_s for _, theirs in rounds)
        return_s = statistics.median(theirs.return_s for _, theirs in rounds)
        cpu_s = statistics.median(ours.carbon_cpu_s for ours, _ in rounds)
        report(f"carbon_{count}_points", ours_s, read_s, "graphyte, batched, until Carbon has read them")
        report(f"carbon_{count}_points_shown", ours_s, return_s, "graphyte, batched, until it returns")
        report(f"carbon_{count}_points_floor", ours_s, cpu_s, "Carbon's own CPU to read them")


if __name__ == "__main__":
    main()
