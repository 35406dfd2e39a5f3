"""The delivery benchmarks run, in small, and print what they promise."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.collector.support import ROOT


@pytest.mark.graphite
@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("carbon", {"carbon_200_points", "carbon_200_points_shown", "carbon_200_points_floor"}),
        ("replay", {"replay_day", "replay_runs", "replay_runs_with_late_fresh_points", "replay_spool"}),
    ],
)
def test_bench(name: str, figures: set[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", "--tiny"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert {row["name"] for row in rows} == figures
    for row in rows:
        assert {"name", "value", "unit"} <= set(row)
        assert ("against" in row) == ("ratio" in row)
