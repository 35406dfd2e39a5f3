"""Grids for the demo, as their collectors would send them: six hours of history, then each minute's figures.

Two grids with trouble in their clouds, and one that fell silent half an hour ago, as in the page's tests.
`python -m tools.demo_grids CARBON` ends with whoever started it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from cloud_monitor.metrics.paths import STEP_S
from collector.delivery.carbon import SendFailed, Timeouts, send_frames
from collector.delivery.destinations import Address, parse_destinations
from collector.delivery.frames import encode_frame, split_points
from collector.model import Point
from tests.browser import scene

HISTORY_H = 6
TIMEOUTS = Timeouts(5, 60)


def points_at(timestamp: int, now: float) -> Iterator[Point]:
    for grid in scene.CLOUDS:
        if grid == "quiet" and timestamp > now - scene.QUIET_FOR_S:
            continue
        for path, value in scene.grid_values(grid):
            yield Point(path, timestamp, scene.wave(path, value, timestamp))


def play(address: Address) -> None:
    """The newest hour first, since the page is looking; a Carbon that is not up yet is tried again."""
    began = time.time()
    now = scene.minute_of(began)
    for hours in range(1, HISTORY_H + 1):
        push(address, range(now - hours * 3600 + STEP_S, now - (hours - 1) * 3600 + 1, STEP_S), began)
    sent = now
    while True:
        time.sleep(STEP_S - time.time() % STEP_S + 2)
        now = scene.minute_of(time.time())
        push(address, range(sent + STEP_S, now + 1, STEP_S), began)
        sent = now


def push(address: Address, timestamps: range, began: float) -> None:
    points = [point for timestamp in timestamps for point in points_at(timestamp, began)]
    while True:
        try:
            frames = (encode_frame(part, address.protocol) for part in split_points(points))
            send_frames(address, frames, TIMEOUTS)
            return
        except SendFailed as failure:
            print(failure, flush=True)
            time.sleep(1)


if __name__ == "__main__":
    (destination,) = parse_destinations(sys.argv[1])
    play(destination.nodes[0].address)
