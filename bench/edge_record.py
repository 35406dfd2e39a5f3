"""What is noted while a stack runs: memory between collector runs and at the peak of each step, CPU, disk and
polls of the page; as one JSON object too, of which tools/small_machine_tables.py makes a page of the docs.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from dataclasses import dataclass, field

import requests

from bench.edge_load import Visits
from bench.process_use import Use, read_use
from bench.pss import read_alone_mb, read_tree_pss_mb
from bench.stack import Stack

SAMPLE_S = 0.25
BETWEEN_RUNS_AT = 0.83  # of each step: a collector run starts at 0 and takes a few seconds
POLLED_BY = 0.92  # of each step: the page polls after a third of it

Parts = dict[str, float]  # PSS in MB by service


@dataclass
class Record:
    """Of each step the memory between two collector runs (and what it would be if nothing else ran), the
    parts of the highest sum seen in it and the load average; missed polls; what the services used meanwhile.
    """

    between: list[Parts] = field(default_factory=list)
    alone_mb: list[float | None] = field(default_factory=list)
    peaks: list[Parts] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    polls_missed: int = 0
    series: int = 0
    visits: Visits = field(default_factory=Visits)
    seconds: float = 0.0
    used: dict[str, Use] = field(default_factory=dict)
    highest: Parts = field(default_factory=dict)  # of the step that is under way

    def totals_mb(self) -> list[float]:
        return [sum(parts.values()) for parts in self.between]

    @property
    def peak(self) -> Parts:
        """The parts of the highest sum of all steps."""
        return max(self.peaks, key=lambda parts: sum(parts.values()))


def read_parts(stack: Stack) -> Parts:
    return {service: read_tree_pss_mb(process.pid) for service, process in stack.processes.items()}


def read_uses(stack: Stack) -> dict[str, Use]:
    return {service: read_use(process.pid) for service, process in stack.processes.items()}


def watch_peak(stack: Stack, record: Record, stop: threading.Event) -> None:
    """Sample until `stop` is set; the record keeps the parts of the step's highest sum."""
    while not stop.wait(SAMPLE_S):
        parts = read_parts(stack)
        if sum(parts.values()) > sum(record.highest.values()):
            record.highest = parts


def record_steps(stack: Stack, record: Record, steps: int, step_s: float) -> None:
    """So many steps, and what the services used in them."""
    before, began_s = read_uses(stack), time.monotonic()
    for _ in range(steps):
        record_step(stack, record, step_s)
    record.seconds = time.monotonic() - began_s
    record.used = {service: use.since(before[service]) for service, use in read_uses(stack).items()}


def record_step(stack: Stack, record: Record, step_s: float) -> None:
    """Note this step's memory between the runs, and whether the page has polled in it."""
    sleep_to(BETWEEN_RUNS_AT * step_s, step_s)
    record.between.append(read_parts(stack))
    record.alone_mb.append(read_alone_mb(process.pid for process in stack.processes.values()))
    sleep_to(POLLED_BY * step_s, step_s)
    health = requests.get(f"{stack.page}/health", timeout=30).json()
    record.series = health["series"]
    succeeded_at = health["poll"]["last_success"] or 0
    record.polls_missed += succeeded_at < time.time() - POLLED_BY * step_s
    record.load.append(os.getloadavg()[0])
    # A watcher that has not come to a sample yet leaves the one between the runs.
    record.peaks.append(record.highest or record.between[-1])
    record.highest = {}


def sleep_to(second: float, step_s: float) -> None:
    """Sleep until the clock is so many seconds past a step."""
    time.sleep((second - time.time()) % step_s)


def record_as_json(record: Record) -> dict[str, object]:
    """Memory in MB, one value a step; CPU-seconds and MB written over all of `seconds`."""
    return {
        "series": record.series,
        "seconds": round(record.seconds),
        "polls_missed": record.polls_missed,
        "visits": visits_as_json(record.visits),
        "load": [round(load, 1) for load in record.load],
        "cpu_s": {service: round(use.cpu_s, 1) for service, use in record.used.items()},
        "written_mb": {service: round(use.written_mb, 1) for service, use in record.used.items()},
        "between_mb": _rounded(record.between),
        "alone_mb": [None if mb is None else round(mb, 1) for mb in record.alone_mb],
        "peaks_mb": _rounded(record.peaks),
    }


def visits_as_json(visits: Visits) -> dict[str, object]:
    taken_ms = sorted(1000 * seconds for seconds in visits.taken_s)
    told: dict[str, object] = {"pages": len(taken_ms), "failed": len(visits.failures)}
    if taken_ms:
        told["p50_ms"] = round(statistics.median(taken_ms), 1)
        told["p99_ms"] = round(taken_ms[int(len(taken_ms) * 0.99)], 1)
    return told


def _rounded(steps: list[Parts]) -> list[Parts]:
    return [{service: round(mb, 1) for service, mb in parts.items()} for parts in steps]
