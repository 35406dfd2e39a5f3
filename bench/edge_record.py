"""What is noted while a stack runs: memory between collector runs and at the peak, and the page's polls."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import requests

from bench.edge_load import Visits
from bench.pss import read_tree_pss_mb
from bench.stack import Stack

SAMPLE_S = 0.25
BETWEEN_RUNS_AT = 0.83  # of each step: a collector run starts at 0 and takes a few seconds
POLLED_BY = 0.92  # of each step: the page polls after a third of it

Parts = dict[str, float]  # PSS in MB by service


@dataclass
class Record:
    """Memory in each step between two collector runs, the parts of the highest sum seen, and missed polls."""

    between: list[Parts] = field(default_factory=list)
    peak: Parts = field(default_factory=dict)
    polls_missed: int = 0
    series: int = 0
    visits: Visits = field(default_factory=Visits)

    def totals_mb(self) -> list[float]:
        return [sum(parts.values()) for parts in self.between]


def read_parts(stack: Stack) -> Parts:
    return {service: read_tree_pss_mb(process.pid) for service, process in stack.processes.items()}


def watch_peak(stack: Stack, record: Record, stop: threading.Event) -> None:
    """Sample until `stop` is set; the record keeps the parts of the highest sum."""
    while not stop.wait(SAMPLE_S):
        parts = read_parts(stack)
        if sum(parts.values()) > sum(record.peak.values()):
            record.peak = parts


def record_step(stack: Stack, record: Record, step_s: float) -> None:
    """Note this step's memory between the runs, and whether the page has polled in it."""
    sleep_to(BETWEEN_RUNS_AT * step_s, step_s)
    record.between.append(read_parts(stack))
    sleep_to(POLLED_BY * step_s, step_s)
    health = requests.get(f"{stack.page}/health", timeout=30).json()
    record.series = health["series"]
    succeeded_at = health["poll"]["last_success"] or 0
    record.polls_missed += succeeded_at < time.time() - POLLED_BY * step_s


def sleep_to(second: float, step_s: float) -> None:
    """Sleep until the clock is so many seconds past a step."""
    time.sleep((second - time.time()) % step_s)
