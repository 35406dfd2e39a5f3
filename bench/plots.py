"""Plots and exports from a real Graphite and a real VictoriaMetrics, with a year of ten series in each.

`plots.STORE.day` is the day plot of ten series, against a page that has the store thin out, whose values are
wrong: at most 1.5 times. `.year_STEP` exports a year of ten series: at most 10 s. Then two visitors at once
ask for the largest there is, 50 series of 5,000 values, as JSON: `.peak` is the most memory that the page had
(the edge profile grants it 80 MB; as root it is held to that).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import requests

from bench.edge import LIMITS_MB
from bench.limits import Group, can_limit
from bench.plots_feed import DAY_S, Shape, feed_graphite, feed_victoriametrics
from cloud_monitor.metrics.paths import build_path
from tests.services.graphite import run_graphite
from tests.services.support import free_port, listens, stop_process, wait_until
from tests.services.victoriametrics import VictoriaMetrics, require_program

PLOTTED = 10
LARGEST_SERIES, LARGEST_POINTS = 50, 5000
_RETENTIONS = "60s:30d,10m:1y,1h:5y"


class Store(Protocol):
    url: str


class Page(NamedTuple):
    url: str
    process: subprocess.Popen[bytes]
    kills: Callable[[], int]


def paths(count: int) -> list[str]:
    return [build_path("jobs", grid="bench", jobtype=f"t{number}", status="idle") for number in range(count)]


@contextmanager
def run_page(store: Store, folder: Path) -> Iterator[Page]:
    """The page as the edge profile starts it, and where that can be done within its memory."""
    port = free_port()
    variables = {
        "WEBAPP_GRAPHITE_URL": store.url,
        "WEBAPP_STATE_DIR": str(folder / "state"),
        "WEBAPP_PORT": str(port),
        "WEBAPP_GRAPHITE_TIMEOUT_S": "60",
        "WEBAPP_THREADS": "4",
        "WEBAPP_LOG_LEVEL": "WARNING",
        "MALLOC_ARENA_MAX": "1",
    }
    command = f"exec {sys.executable} -m webapp"
    group = Group(f"cloud-monitor-plots-{os.getpid()}", LIMITS_MB["web"]) if can_limit() else None
    process = subprocess.Popen(
        ["sh", "-c", group.charge(command) if group else command], env={**os.environ, **variables}
    )
    try:
        wait_until(lambda: process.poll() is None and listens(port), "the page")
        yield Page(f"http://127.0.0.1:{port}", process, group.kills if group else lambda: 0)
    finally:
        stop_process(process)
        if group:
            group.close()


@contextmanager
def run_peer(store: Store) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.plots_peer", store.url, str(port)])
    try:
        wait_until(lambda: process.poll() is None and listens(port), "the peer")
        yield f"http://127.0.0.1:{port}"
    finally:
        stop_process(process)


def seconds(ask: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    ask()
    return time.perf_counter() - began_s


def ask(page: str, path: str, **query: object) -> requests.Response:
    answer = requests.get(f"{page}{path}", params=query, timeout=120)  # type: ignore[arg-type]
    answer.raise_for_status()
    return answer


def measure(name: str, store: Store, folder: Path, shape: Shape, rounds: int) -> None:
    now = int(time.time())
    with run_page(store, folder) as page:
        say(f"{name}.at_start", peak_mb(page.process.pid), "MB")
        measure_day(name, store, page, now, rounds)
        for step_s in (0, 3600, DAY_S):
            query = {"from": now - shape.days * DAY_S, "until": now} | ({"step": step_s} if step_s else {})
            began_s = time.perf_counter()
            table = ask(page.url, "/export", target=paths(PLOTTED), **query).text
            took_s = time.perf_counter() - began_s
            say(f"{name}.year_{step_s or 'finest'}", took_s, "s", rows=table.count("\n") - 1)
        measure_largest(name, page, now, shape)
        say(f"{name}.peak", peak_mb(page.process.pid), "MB", limit=LIMITS_MB["web"], killed=page.kills())


def measure_day(name: str, store: Store, page: Page, now: int, rounds: int) -> None:
    """Ours and the peer's in turn."""
    query = {"target": paths(PLOTTED), "from": now - DAY_S, "until": now}

    def seconds(url: str) -> float:
        began_s = time.perf_counter()
        answer = ask(url, "/api/series", **query).json()
        took_s = time.perf_counter() - began_s
        known = [sum(value is not None for value in one["values"]) for one in answer["series"]]
        if min(known) < 700:
            raise RuntimeError(f"{url}: too few values: {known}")
        return took_s

    with run_peer(store) as peer:
        seconds(page.url), seconds(peer)
        pairs = [(seconds(page.url), seconds(peer)) for _ in range(rounds)]
    ours_s, theirs_s = (statistics.median(some) for some in zip(*pairs, strict=True))
    say(f"{name}.day", ours_s * 1000, "ms", "thinned out by the store", ours_s / theirs_s)


def measure_largest(name: str, page: Page, now: int, shape: Shape) -> None:
    """Two visitors at once, who are all that are let to the store."""
    span = {"target": paths(shape.series), "from": now - shape.points * 60, "until": now}
    for path, query in (
        ("/export", span | {"format": "json"}),
        ("/api/series", span | {"points": shape.points}),
    ):
        began_s = time.perf_counter()
        with ThreadPoolExecutor(2) as visitors:
            asked = [visitors.submit(ask, page.url, path, **query) for _ in range(2)]
            sizes = [len(one.result().content) for one in asked]
        say(f"{name}.largest{path.replace('/', '_')}", time.perf_counter() - began_s, "s", bytes=max(sizes))


def peak_mb(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise RuntimeError(f"process {pid} has ended")
    return int(found[1]) / 1024


def say(
    name: str, value: float, unit: str, against: str = "", ratio: float | None = None, **more: object
) -> None:
    line: dict[str, object] = {"name": f"plots.{name}", "value": round(value, 3), "unit": unit}
    if ratio is not None:
        line |= {"against": against, "ratio": round(ratio, 3)}
    print(json.dumps(line | more), flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="two days of few series, for the output only")
    options = parser.parse_args(arguments)
    shape = Shape(2, 12, 500) if options.tiny else Shape(365, LARGEST_SERIES, LARGEST_POINTS)
    rounds = 1 if options.tiny else 15
    require_program()
    with tempfile.TemporaryDirectory(prefix="bench-plots-") as temporary:
        folder = Path(temporary)
        store = VictoriaMetrics(folder / "victoriametrics")
        store.start()
        try:
            feed_victoriametrics(store, paths(shape.series)[:PLOTTED], paths(shape.series)[PLOTTED:], shape)
            measure("victoriametrics", store, folder / "page-1", shape, rounds)
        finally:
            store.stop()
        with run_graphite(folder / "graphite", retentions=_RETENTIONS) as graphite:
            feed_graphite(graphite, paths(shape.series)[:PLOTTED], paths(shape.series)[PLOTTED:], shape)
            measure("graphite", graphite, folder / "page-2", shape, rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
