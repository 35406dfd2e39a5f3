"""The page at 1k, 10k and 100k series from a real store (VictoriaMetrics): poll with parsing, memory of the
app process, size of the compressed page, and time until it can be used in Chromium.

`ratio` is the growth from the size before it: linear growth is 10.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import requests
from playwright.sync_api import Browser, sync_playwright

from bench.pss import read_tree_pss_mb
from bench.scale_series import make_series
from tests.services.chromium import EXECUTABLE
from tests.services.support import free_port, stop_process, wait_until
from tests.services.victoriametrics import VictoriaMetrics, require_program

# Resolves when the main thread has painted what was loaded and is free; milliseconds since navigation began.
_INTERACTIVE = """() => new Promise(done => {
  const free = () => requestAnimationFrame(() => setTimeout(() => done(performance.now()), 0));
  document.readyState === "complete" ? free() : addEventListener("load", free);
})"""


class Measured(NamedTuple):
    poll_s: float
    memory_mb: float
    peak_mb: float
    page_kb: float
    interactive_s: float


@contextmanager
def run_store(root: Path, count: int) -> Iterator[VictoriaMetrics]:
    """A store that holds three minutes of so many series, and shows them all."""
    store = VictoriaMetrics(root)
    store.start()
    try:
        series = make_series(count)
        minute = int(time.time()) // 60 * 60
        for ago in (2, 1, 0):
            store.send((path, value, minute - 60 * ago) for path, value in series)
        depths = {path.count(".") for path, _ in series}
        globs = [".".join(["grids", *["*"] * depth]) for depth in depths]

        def shown() -> int:
            return sum(len(store.render(glob, since="-4min")) for glob in globs)

        wait_until(lambda: shown() == len(series), f"{len(series)} series in the store", 120)
        yield store
    finally:
        store.stop()


def measure(store: VictoriaMetrics, state_dir: Path, browser: Browser, rounds: int) -> Measured:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    variables = {
        "WEBAPP_GRAPHITE_URL": store.url,
        "WEBAPP_STATE_DIR": str(state_dir),
        "WEBAPP_PORT": str(port),
        "WEBAPP_POLL_EVERY_S": "8",
        "WEBAPP_POLL_AFTER_STEP_S": "0",
        "WEBAPP_STALE_AFTER_S": "3600",
        "WEBAPP_LOG_LEVEL": "WARNING",
    }
    server = subprocess.Popen([sys.executable, "-m", "webapp"], env={**os.environ, **variables})
    try:
        wait_until(lambda: health(url), "the first snapshot", 120)
        polls_s: list[float] = []
        seen = 0.0
        while len(polls_s) < rounds:
            poll = health(url)["poll"]
            if poll["last_success"] != seen:
                seen = poll["last_success"]
                polls_s.append(poll["duration_s"])
            time.sleep(0.2)
        page = requests.get(f"{url}/", headers={"Accept-Encoding": "gzip"}, stream=True, timeout=120)
        page_kb = len(page.raw.read(decode_content=False)) / 1024
        interactive_s = [open_page(browser, url) for _ in range(rounds)]
        return Measured(
            statistics.median(polls_s),
            read_tree_pss_mb(server.pid),
            peak_mb(server.pid),
            page_kb,
            statistics.median(interactive_s),
        )
    finally:
        stop_process(server)


def health(url: str) -> dict[str, dict[str, float]]:
    """What /health says once there is a snapshot; empty before, or while nobody answers."""
    try:
        answer = requests.get(f"{url}/health", timeout=60)
    except requests.ConnectionError:
        return {}
    found: dict[str, dict[str, float]] = answer.json()
    return found if answer.status_code == 200 and found["series"] else {}


def open_page(browser: Browser, url: str) -> float:
    """Seconds from the start of navigation until the page can be used, in a browser without a cache."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    try:
        page = context.new_page()
        page.goto(url, wait_until="commit", timeout=120_000)
        milliseconds: float = page.evaluate(_INTERACTIVE)
        return milliseconds / 1000
    finally:
        context.close()


def peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def say(count: int, found: Measured, before: Measured | None) -> None:
    units = ("s", "MB PSS", "MB", "KB gzip", "s")
    for place, (name, value, unit) in enumerate(zip(Measured._fields, found, units, strict=True)):
        line: dict[str, object] = {"name": f"scale_{count}_{name}", "value": round(value, 3), "unit": unit}
        if before is not None:
            line |= {"against": "a tenth of the series", "ratio": round(value / before[place], 2)}
        print(json.dumps(line), flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="one size, once: for the output only")
    tiny = parser.parse_args(arguments).tiny
    require_program()
    before: Measured | None = None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
        for count in (500,) if tiny else (1_000, 10_000, 100_000):
            with tempfile.TemporaryDirectory(prefix="bench-scale-") as folder:
                root = Path(folder)
                with run_store(root / "store", count) as store:
                    found = measure(store, root / "state", browser, 1 if tiny else 3)
            say(count, found, before)
            before = found
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
