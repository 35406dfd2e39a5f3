"""One delivery as a process of its own, to be killed at any moment: arguments as JSON on the command line.

Prints "kept" as soon as the run's points are acknowledged as kept; the report is its last line, when it ends.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from collector.delivery.carbon import Timeouts, TlsFiles
from collector.delivery.deliver import senders_of
from collector.delivery.destinations import parse_destinations
from collector.delivery.readback import Readback
from collector.delivery.sender import Options, Report, send_points
from collector.delivery.spool import Spool
from collector.model import Point

OPTIONS = Options(Timeouts(0.6, 0.6), TlsFiles(), 7 * 86_400, 1e9, replay_points=100_000)


def points_of(timestamp: int, count: int) -> list[Point]:
    """Values that tell which point they belong to."""
    return [
        Point(f"soak.x{number}", timestamp, timestamp % 100_000 + number / 1000) for number in range(count)
    ]


def main() -> None:
    given = json.loads(sys.argv[1])
    readback = (
        Readback(given["graphite_url"], 10, None, "soak.proof.t{}".format) if given["graphite_url"] else None
    )
    (destination,) = parse_destinations(given["carbon"])
    (sender,) = senders_of(destination, Path(given["state_dir"]), readback)
    report = Report(sender)

    ended = threading.Event()

    def tell() -> None:
        while not report.kept and not ended.wait(0.0005):
            pass
        if report.kept:
            print("kept", flush=True)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    points = points_of(given["timestamp"], given["points"])
    send_points(report, points, OPTIONS, given["timestamp"], time.monotonic() + 8)
    ended.set()
    teller.join()
    spool = Spool(sender.spool_path)
    unproven = len(spool.delivered(0)) if readback else 0
    spool.close()
    print(
        json.dumps(
            {
                "delivered": report.delivered,
                "waiting": report.waiting_points,
                "unproven": unproven,
                "problems": report.problems,
            }
        )
    )


if __name__ == "__main__":
    main()
