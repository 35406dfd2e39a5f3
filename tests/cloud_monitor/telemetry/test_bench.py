"""The benchmark runs, and says what it is there to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.services.needs import need
from tests.services.support import in_time

ROOT = Path(__file__).parents[3]


def test_the_tiny_benchmark_prints_its_figures() -> None:
    need("programs")
    run = subprocess.run(
        [sys.executable, "-m", "bench.telemetry", "--tiny"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    figures = {row["name"]: row for row in map(json.loads, run.stdout.splitlines())}
    assert figures.keys() == {
        *(f"telemetry_{case}_{what}" for case in ("otlp", "azure", "both") for what in ("memory", "call")),
        "telemetry_silent_end",
    }
    assert in_time(figures["telemetry_silent_end"]["value"], 10), "as shipped it takes 93 s"
