"""Whole machines under the gate for simulated hours: never above the limits, no oscillation."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest

from bench.gate_machine import DEFAULT_LIMITS, GB, OURS, UPSTREAM, Machine, Second, WorkerKind, binding_reason
from worker.gate.model import GateVerdict, Reason

CORES = 16


def changes(seconds: list[Second]) -> list[int]:
    """Differences in the number of workers, where it changed."""
    return [
        after.workers - before.workers
        for before, after in pairwise(seconds)
        if after.workers != before.workers
    ]


@pytest.mark.parametrize(
    ("kind", "memory_gb", "workers", "binds"),
    [
        (UPSTREAM, 32, 5, Reason.MEMORY),
        (UPSTREAM, 64, 10, Reason.CPU),
        (UPSTREAM, 128, 10, Reason.CPU),
        (OURS, 32, 13, Reason.CPU),
        (OURS, 64, 13, Reason.CPU),
        (OURS, 128, 13, Reason.CPU),
    ],
    ids=lambda value: value.name.split(",")[0] if isinstance(value, WorkerKind) else str(value),
)
def test_fills_the_machine_and_stays(kind: WorkerKind, memory_gb: int, workers: int, binds: Reason) -> None:
    seconds = Machine(CORES, memory_gb * GB, kind, DEFAULT_LIMITS).run(1800)
    step_pct = 100 * (kind.estimate.private_bytes + kind.estimate.shared_bytes) / (memory_gb * GB)
    assert seconds[-1].workers == workers
    assert binding_reason(seconds) is binds
    assert set(changes(seconds)) == {1}, "workers were only ever added"
    assert max(second.memory_pct for second in seconds) <= min(75 + step_pct, 90)
    assert max(second.cpu_pct for second in seconds) <= 75 + 100 * kind.estimate.cpus * 1.1 / CORES + 5


@pytest.mark.parametrize("seed", range(2))
def test_a_neighbour_that_takes_memory_is_met_by_few_drains(seed: int) -> None:
    """A neighbour takes and gives back a third of the memory every ten minutes for three hours."""
    print(f"seed {seed}")
    machine = Machine(
        CORES,
        64 * GB,
        UPSTREAM,
        DEFAULT_LIMITS,
        seed,
        others_bytes=lambda now_s: 22 * GB if int(now_s) % 1200 >= 600 else GB,
    )
    seconds = machine.run(3 * 3600)
    drains = [second for second in seconds if second.decision.verdict is GateVerdict.DRAIN]
    assert drains, "the neighbour's memory must be made room for"
    assert all(later.now_s - earlier.now_s >= 60 for earlier, later in pairwise(drains))
    assert len(drains) <= 12, "each further drain makes the gate more patient"
    assert len(changes(seconds)) <= 40
    assert min(second.workers for second in seconds[300:]) >= 4


def test_restless_neighbours_do_not_make_it_oscillate() -> None:
    chance = random.Random(7)
    machine = Machine(
        CORES,
        64 * GB,
        UPSTREAM,
        DEFAULT_LIMITS,
        others_bytes=lambda now_s: int(chance.uniform(1, 6) * GB),
        others_cores=lambda now_s: chance.uniform(0, 4),
    )
    seconds = machine.run(2 * 3600)
    assert set(changes(seconds)) == {1}
    assert max(second.memory_pct for second in seconds) < 90


def test_benchmark_prints_json_lines() -> None:
    command = [sys.executable, "-m", "bench.gate", "--tiny"]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    lines = [json.loads(line) for line in output.splitlines()]
    assert {"gate.workers.upstream.32GB", "gate.decision"} <= {line["name"] for line in lines}
    assert all({"name", "value", "unit"} <= line.keys() for line in lines)


@pytest.mark.parametrize("memory_gb", [32, 64, 128])
@pytest.mark.parametrize("kind", [UPSTREAM, OURS], ids=["upstream", "ours"])
def test_with_a_ceiling_of_75_memory_never_passes_it(kind: WorkerKind, memory_gb: int) -> None:
    limits = replace(DEFAULT_LIMITS, memory_promised_pct=75.0)
    seconds = Machine(CORES, memory_gb * GB, kind, limits).run(1800)
    assert max(second.memory_pct for second in seconds) < 75
    assert seconds[-1].workers > 0
