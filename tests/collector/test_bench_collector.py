"""The benchmark over a large pool runs and reports; its figures mean nothing at this size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.collector.support import ROOT


@pytest.mark.timeout(300)
def test_bench_collector_reports(condor_installation: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.collector", "--tiny"],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows.keys() == {
        "collector_run", "collector_run_small", "collector_growth", "collector_memory",
        "collector_run_inventory", "collector_memory_inventory",
    }  # fmt: skip
    assert all(row["value"] > 0 and row["unit"] for row in rows.values())
    assert rows["collector_run"]["ratio"] > 0
