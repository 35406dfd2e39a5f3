"""The benchmark runs, and says what it is there to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.support import in_time

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
@pytest.mark.postgres
@pytest.mark.azurite
def test_the_tiny_benchmark_prints_its_figures() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.queue", "--tiny"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr.decode()
    figures = {line["name"]: line for line in map(json.loads, done.stdout.decode().splitlines())}
    for database in ("postgresql", "sqlite"):
        assert 0 < figures[f"queue_{database}_lost"]["value"] < 100
        assert figures[f"queue_{database}_claim_p99"]["ratio"] > 0
        assert figures[f"queue_{database}_run_admission_p99"]["of"] > 0
        assert 0 < figures[f"queue_{database}_admission_p99"]["value"] < 10_000
    assert figures["queue_azure_listing_requests"]["value"] == 7


@pytest.mark.timeout(300)
@pytest.mark.postgres
def test_the_tiny_benchmark_of_confidence_prints_its_figures() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.confidence", "--tiny"], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    figures = {line["name"]: line for line in map(json.loads, done.stdout.decode().splitlines())}
    for database in ("postgresql", "sqlite"):
        assert figures[f"queue_{database}_confidence_fill"]["value"] > 0
        assert in_time(figures[f"queue_{database}_confidence_fill"]["value"], 10)
        assert 0 < figures[f"queue_{database}_confidence_doubtful"]["value"] <= 10
