"""Visitors of the page: one each half second, and a burst."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import requests

VISIT_EVERY_S = 0.5
BURST_THREADS = 8


@dataclass
class Visits:
    """Seconds of each page request that was answered with 200, and the others by what came instead."""

    taken_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def visit(self, url: str) -> None:
        begin_s = time.perf_counter()
        try:
            answer = requests.get(url, timeout=30)
        except requests.RequestException as error:
            self.failures.append(str(error))
            return
        if answer.status_code == 200:
            self.taken_s.append(time.perf_counter() - begin_s)
        else:
            self.failures.append(f"status {answer.status_code}")


def visit_steadily(url: str, visits: Visits, stop: threading.Event) -> None:
    """One request each half second until `stop` is set."""
    due_s = time.monotonic()
    while not stop.wait(max(0.0, due_s - time.monotonic())):
        visits.visit(url)
        due_s += VISIT_EVERY_S


def burst(url: str, requests_total: int) -> tuple[Visits, float]:
    """That many requests as fast as they are answered; with the seconds all of them took."""
    visits = Visits()
    begin_s = time.perf_counter()
    with ThreadPoolExecutor(BURST_THREADS) as pool:
        for _ in range(requests_total):
            pool.submit(visits.visit, url)
    return visits, time.perf_counter() - begin_s
