"""Memory of the whole stack on a small machine, beside the default profile's, under an hour of use.

The edge profile runs with each service in a memory group of its own (as root; page 80 MB, store 150 MB, all
of it 300 MB), over a grid of 2,000 series collected each minute, with one page request each half second. Its
PSS is read each minute between two collector runs, and four times a second for the peak. At the end comes a
burst of 1,000 requests. Then the default profile runs in the same way for some minutes, without limits.
`--report FILE` keeps all of it as JSON, for docs/small-machine.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from bench.edge_grid import write_cloud_status
from bench.edge_load import burst, visit_steadily
from bench.edge_record import Record, record_as_json, record_steps, visits_as_json, watch_peak
from bench.installed import folder_mb, packages_mb
from bench.limits import can_limit
from bench.stack import Stack
from embedded.install import install as install_graphite
from tools.profiles import store_program

LIMITS_MB = {"web": 80.0, "store": 150.0, "all": 300.0}
CLOUDS = 55  # about 2,000 series
BURST = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a few steps of 5 s, and a small grid")
    parser.add_argument("--minutes", type=int, default=60, help="how long the edge profile runs")
    parser.add_argument("--default-minutes", type=int, default=10, help="how long the default profile runs")
    parser.add_argument("--report", type=Path, metavar="FILE", help="keep what was measured as JSON")
    options = parser.parse_args()
    began_at = time.time()
    limits_mb = LIMITS_MB if can_limit() else None
    with tempfile.TemporaryDirectory(prefix="bench-edge-") as temporary:
        clouds = Path(temporary) / "clouds.json"
        write_cloud_status(clouds, 5 if options.tiny else CLOUDS)
        step_s = 5 if options.tiny else 60
        edge_steps, default_steps = (2, 1) if options.tiny else (options.minutes, options.default_minutes)
        given = {
            "COLLECTOR_GRID": "edge",
            "COLLECTOR_CLOUD_STATUS_COMMAND": f"cat {clouds}",
            "COLLECT_EVERY_S": str(step_s),
            "WEBAPP_POLL_EVERY_S": str(step_s),
            "WEBAPP_POLL_AFTER_STEP_S": str(step_s // 3),
        }
        edge = Stack("edge", Path(temporary) / "edge", given, limits_mb)
        with running(edge) as record:
            record_steps(edge, record, edge_steps, step_s)
            report_run(record)
            burst_told = report_burst(edge)
            kills = edge.kills()
            show("edge.killed", kills, "processes", limited=limits_mb is not None, ended=edge.ended())

        default = Stack("default", Path(temporary) / "default", given, None)
        with running(default) as beside:
            record_steps(default, beside, default_steps, step_s)
    report_memory(record, beside)
    installed_mb = report_installed()
    if options.report is not None:
        told = {
            "began_at": round(began_at),
            "cpus": os.cpu_count(),
            "step_s": step_s,
            "limits_mb": limits_mb,
            "installed_mb": round(installed_mb, 1),
            "burst": burst_told,
            "killed": kills,
            "profiles": {"edge": record_as_json(record), "default": record_as_json(beside)},
        }
        options.report.write_text(json.dumps(told) + "\n")


@contextmanager
def running(stack: Stack) -> Iterator[Record]:
    """The stack with data on its page, visited and watched; stopped at the end."""
    record, stop = Record(), threading.Event()
    stack.start()
    try:
        wait_for_data(stack)
        watchers = [
            threading.Thread(target=visit_steadily, args=(f"{stack.page}/", record.visits, stop)),
            threading.Thread(target=watch_peak, args=(stack, record, stop)),
        ]
        for watcher in watchers:
            watcher.start()
        try:
            yield record
        finally:
            stop.set()
            for watcher in watchers:
                watcher.join()
    finally:
        stack.stop()


def wait_for_data(stack: Stack, timeout_s: float = 150) -> None:
    """Until the page has a snapshot with series in it; RuntimeError naming what went wrong."""
    deadline = time.monotonic() + timeout_s
    while True:
        if ended := stack.ended():
            raise RuntimeError(f"{', '.join(ended)} ended at once: {stack.log(ended[0])[-1500:]}")
        try:
            if requests.get(f"{stack.page}/health", timeout=10).json()["series"]:
                return
        except requests.ConnectionError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"no data on the page after {timeout_s:g} s: {stack.log('collector')[-1500:]}")
        time.sleep(0.5)


def report_run(record: Record) -> None:
    """Visits, polls, and whether memory stays flat."""
    minutes = len(record.between)
    show("edge.series", record.series, "series")
    show("edge.polls_missed", record.polls_missed, "polls", of=minutes)
    show("edge.visits", len(record.visits.taken_s), "pages", **visits_as_json(record.visits))
    totals = record.totals_mb()
    if minutes >= 20:
        first, last = totals[minutes // 4 : minutes // 2], totals[-(minutes // 4) :]
        growth_mb = statistics.median(last) - statistics.median(first)
        show("edge.growth", growth_mb, "MB", minutes=minutes, least_mb=min(totals), most_mb=max(totals))


def report_burst(stack: Stack) -> dict[str, object]:
    visits, seconds = burst(f"{stack.page}/", BURST)
    told = visits_as_json(visits) | {"per_s": round(len(visits.taken_s) / seconds)}
    show("edge.burst", BURST, "pages", **told)
    return told


def report_memory(edge: Record, default: Record) -> None:
    """Each service, and the sums: between collector runs (median of the minutes) and at the peak."""
    for profile, record in (("edge", edge), ("default", default)):
        for service in record.peak:
            between_mb = statistics.median(parts[service] for parts in record.between)
            show(f"{profile}.pss.{service}", between_mb, "MB", at_peak=round(record.peak[service], 1))
    for name, edge_mb, default_mb in (
        ("between_runs", statistics.median(edge.totals_mb()), statistics.median(default.totals_mb())),
        ("at_peak", sum(edge.peak.values()), sum(default.peak.values())),
    ):
        ratio = round(edge_mb / default_mb, 3)
        show(
            f"edge.pss.{name}",
            edge_mb,
            "MB",
            against="default profile",
            against_mb=round(default_mb, 1),
            ratio=ratio,
        )


def report_installed() -> float:
    """MB of packages and store."""
    python_mb, store_mb = packages_mb(["collector", "webapp"]), store_program().stat().st_size / 2**20
    graphite_mb = folder_mb(install_graphite())
    ratio = round((python_mb + store_mb) / (python_mb + graphite_mb), 3)
    show("edge.installed.packages", python_mb, "MB")
    show(
        "edge.installed.store",
        store_mb,
        "MB",
        against="Carbon and graphite-web",
        ratio=round(store_mb / graphite_mb, 3),
    )
    show("edge.installed", python_mb + store_mb, "MB", against="default profile", ratio=ratio)
    return python_mb + store_mb


def show(name: str, value: float, unit: str, **more: object) -> None:
    print(json.dumps({"name": name, "value": round(value, 1), "unit": unit} | more), flush=True)


if __name__ == "__main__":
    main()
