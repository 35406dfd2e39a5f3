"""Points into a real Carbon: this project's frames with the close handshake, against graphyte's batches.

Our time ends when Carbon has shown that it read everything; graphyte's ends when its last batch is in the
kernel's buffers, and shows nothing. Each round has a Carbon of its own, so that none works off another's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import graphyte

from collector.delivery.carbon import Timeouts, send_frames
from collector.delivery.destinations import parse_destinations
from collector.delivery.frames import encode_frame, split_points
from collector.points import Point
from tests.services.graphite import Graphite, run_graphite

TIMEOUTS = Timeouts(connect_s=5, write_s=60)


def make_points(count: int) -> list[Point]:
    """A grid with many VMs, in the shape of real paths."""
    now = int(time.time()) // 60 * 60
    return [
        Point(f"grids.g{i % 5}.clouds.c{i // 5 % 20:02d}.vms.type{i // 1000:04d}.s{i}", now, float(i))
        for i in range(count)
    ]


def send_ours(graphite: Graphite, points: Sequence[Point]) -> None:
    address = parse_destinations(graphite.carbon)[0].nodes[0].address
    send_frames(address, (encode_frame(chunk) for chunk in split_points(points)), TIMEOUTS)


def send_by_graphyte(graphite: Graphite, points: Sequence[Point]) -> None:
    host, _, port = graphite.plain.partition(":")
    sender = graphyte.Sender(host, int(port), interval=3600, queue_size=len(points) + 1)
    for path, timestamp, value in points:
        sender.send(path, value, timestamp)
    sender.stop()


def measure(send: Callable[[Graphite, Sequence[Point]], None], points: Sequence[Point]) -> float:
    """Seconds of one round with a new Carbon."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-carbon-") as folder,
        run_graphite(Path(folder), web=False) as graphite,
    ):
        started_s = time.perf_counter()
        send(graphite, points)
        took_s = time.perf_counter() - started_s
        graphite.kill_carbon()
        return took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="200 points, once: for the output only")
    tiny = parser.parse_args().tiny
    for count in (200,) if tiny else (20_000, 200_000):
        points = make_points(count)
        rounds = [
            (measure(send_ours, points), measure(send_by_graphyte, points)) for _ in range(1 if tiny else 5)
        ]
        ours_s, theirs_s = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(
            json.dumps(
                {
                    "name": f"carbon_{count}_points",
                    "value": round(ours_s, 4),
                    "unit": "s",
                    "against": f"graphyte {theirs_s:.4f} s, batched, nothing shown",
                    "ratio": round(ours_s / theirs_s, 3),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
