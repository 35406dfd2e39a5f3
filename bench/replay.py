"""Replay after a simulated day of outage: 1,440 minutes of 2,000 points wait in the spool of a real Carbon.

Runs follow each other as collector runs do: fresh points first, then a bounded share of what waits. Against
the same points sent without a spool, over one connection.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from collector.delivery.carbon import Timeouts, TlsFiles, send_frames
from collector.delivery.deliver import senders_of
from collector.delivery.destinations import parse_destinations
from collector.delivery.frames import encode_frame
from collector.delivery.sender import Options, Report, Sender, send_points
from collector.delivery.spool import Frame, Spool
from collector.model import Point
from collector.settings import Settings
from tests.services.graphite import Graphite, run_graphite
from tests.services.support import wait_until

TIMEOUTS = Timeouts(connect_s=5, write_s=40)
OPTIONS = Options(
    TIMEOUTS, TlsFiles(), 7 * 86_400, 256 << 20, Settings.model_fields["replay_points_per_run"].default
)
DEADLINE_S = 45.0  # of a run


def points_of(minute: int, timestamp: int, count: int) -> list[Point]:
    return [
        Point(f"grids.g.clouds.c{i % 20}.vms.t{i}.running", timestamp, float(minute % 500))
        for i in range(count)
    ]


def frames_of(minutes: int, count: int, start: int) -> Iterator[Frame]:
    for minute in range(minutes):
        timestamp = start + 60 * minute
        yield Frame(timestamp, count, encode_frame(points_of(minute, timestamp, count)))


def open_sender(graphite: Graphite, folder: Path) -> Sender:
    (sender,) = senders_of(parse_destinations(graphite.carbon)[0], folder)
    return sender


def send_directly(minutes: int, count: int, start: int) -> float:
    """Seconds for the same points into a Carbon of their own, kept nowhere."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-replay-") as folder,
        run_graphite(Path(folder), web=False) as graphite,
    ):
        frames = [frame.data for frame in frames_of(minutes, count, start)]
        started_s = time.perf_counter()
        send_frames(open_sender(graphite, Path(folder)).address, frames, Timeouts(5, 600))
        took_s = time.perf_counter() - started_s
        graphite.kill_carbon()
        return took_s


def _stored(graphite: Graphite, start: int) -> int:
    """How many minutes of one series the store has."""
    series = graphite.render("grids.g.clouds.c7.vms.t7.running", since=str(start - 60))
    return sum(value is not None for one in series for value, _ in one["datapoints"])  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="20 minutes of 20 points: for the output only")
    minutes, count = (20, 20) if parser.parse_args().tiny else (1440, 2000)
    start = int(time.time()) // 60 * 60 - 60 * (minutes + 60)
    direct_s = send_directly(minutes, count, start)
    with (
        tempfile.TemporaryDirectory(prefix="bench-replay-") as folder,
        run_graphite(Path(folder) / "graphite") as graphite,
    ):
        sender = open_sender(graphite, Path(folder) / "spool")
        spool = Spool(sender.spool_path)
        spool.begin(start, OPTIONS.spool_age_max_s, OPTIONS.spool_bytes_max)
        for frame in frames_of(minutes, count, start):
            spool.mark_untried(spool.add([frame]))
        spool.close()
        size_mb = sender.spool_path.stat().st_size / (1 << 20)
        replay_s, runs, late = 0.0, 0, 0
        waiting = minutes * count
        while waiting:
            now = start + 60 * (minutes + runs)
            report = Report(sender)
            started_s = time.perf_counter()
            send_points(report, points_of(runs, now, count), OPTIONS, now, time.monotonic() + DEADLINE_S)
            replay_s += time.perf_counter() - started_s
            runs += 1
            late += not report.delivered
            waiting = report.waiting_points
        wait_until(lambda: _stored(graphite, start) == minutes + runs, "all points of a series in render", 60)
        graphite.kill_carbon()
    print(
        json.dumps(
            {
                "name": "replay_day",
                "value": round(replay_s, 2),
                "unit": "s",
                "against": f"the same points without a spool, {direct_s:.2f} s",
                "ratio": round(replay_s / direct_s, 3),
                "points": minutes * count,
            }
        )
    )
    print(json.dumps({"name": "replay_runs", "value": runs, "unit": "runs"}))
    print(json.dumps({"name": "replay_runs_with_late_fresh_points", "value": late, "unit": "runs"}))
    print(json.dumps({"name": "replay_spool", "value": round(size_mb, 2), "unit": "MB"}))


if __name__ == "__main__":
    main()
