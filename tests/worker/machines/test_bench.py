"""The benchmark of scaling rules, run tiny for its output."""

from __future__ import annotations

import json
import subprocess
import sys


def test_the_benchmark_prints_what_each_rule_costs() -> None:
    command = [sys.executable, "-m", "bench.scaling", "--tiny"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    lines = {line["name"]: line for line in map(json.loads, ended.stdout.splitlines())}
    assert set(lines) == {"scaling_bursty_deadline", "scaling_bursty_thresholds", "scaling_decision"}
    deadline, thresholds = lines["scaling_bursty_deadline"], lines["scaling_bursty_thresholds"]
    assert deadline["late_pct"] == 0
    assert 1 < deadline["ratio"] < thresholds["ratio"]
