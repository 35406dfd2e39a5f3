"""CPU time of one evaluation of alerts: 10,000 figures under 100 rules. `--tiny`: few of both."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from webapp.alerts.engine import step
from webapp.alerts.observe import observe
from webapp.alerts.rules.rules import parse_alert_settings
from webapp.alerts.store import open_store
from webapp.model.build import GridOrder, build_snapshot
from webapp.model.health import HealthRules
from webapp.model.judge import judge_health
from webapp.model.options import complete_thresholds
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Value

LIMIT_S = 0.5
FIGURES = ("error", "running", "idle", "total", "starting", "retiring", "shutdown", "unknown", "lost", "held")
NOW = 1_760_000_040


def measure(figures: int, rules: int) -> float:
    """CPU-seconds of the median of five evaluations, with what is written down."""
    paths = [f"grids.g{n % 4}.clouds.c{n // 40}.vms.t{n % 4}.{FIGURES[n // 4 % 10]}" for n in range(figures)]
    values = [Value(path, float(number % 50), NOW) for number, path in enumerate(paths)]
    own = [
        {
            "name": f"rule{n}",
            "figure": f"grids.{{grid}}.clouds.{{cloud}}.vms.{'*' if n % 2 else 't1'}.{FIGURES[n % 10]}",
            "above": 30 + n,
            **({"increase": "10m"} if n % 5 == 0 else {}),
        }
        for n in range(rules)
    ]
    known_rules = parse_alert_settings({"rule": own}).rules
    snapshot = build_snapshot(float(NOW), values, GridOrder((), frozenset()))
    view = SnapshotView(snapshot, PollOutcome(finished_at=NOW), NOW, 180)
    took = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(5):
            started = time.process_time()
            health = judge_health(view, HealthRules(complete_thresholds({})))
            with open_store(Path(folder)) as store:
                known, samples = store.read_known(), store.read_samples()
                observed, after = observe(known_rules, health, (), known, samples, NOW)
                store.write_known(known, step(known, known_rules, observed, (), NOW).known)
                store.write_samples(after)
            took.append(time.process_time() - started)
    return sorted(took)[2]


def main() -> int:
    figures, rules = (200, 10) if "--tiny" in sys.argv else (10_000, 100)
    cpu_s = measure(figures, rules)
    name = f"alerts_{figures}_figures_{rules}_rules"
    print(json.dumps({"name": name, "value": round(cpu_s, 4), "unit": "s"}))
    return int(cpu_s > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
