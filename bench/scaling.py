"""What scaling rules cost, and how late they are, on the same simulated days; and how long a decision takes.

One JSON object a line: for each trace and rule the cost over the least possible (work alone), with a 95 %
confidence interval over the seeds, the images that were late, the 95th percentile of batches' waits,
reversals and boots. One configuration of each rule for all traces; the seeds are none of those the defaults
were chosen on (0 to 9). The last line is the time of one decision over 1,000 machines and 10,000 chunks with
deadlines.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict

from bench.scaling_rules import RULES
from bench.scaling_world import TRACES, Outcome, simulate
from worker.machines.scaling import DeadlineRule, Due, Memory, ScalingInput

SEEDS = range(100, 120)


def run(case: tuple[str, str, int]) -> Outcome:
    trace, rule, seed = case
    batches, hours = TRACES[trace](random.Random(seed))
    return simulate(RULES[rule](), batches, seed, hours)


def summary(trace: str, rule: str, outcomes: list[Outcome]) -> dict[str, object]:
    ratios = [outcome.cost_usd / outcome.least_usd for outcome in outcomes]
    spread = statistics.stdev(ratios) if len(ratios) > 1 else 0.0
    rows = [asdict(outcome) for outcome in outcomes]
    return {
        "name": f"scaling_{trace}_{rule}",
        "value": round(statistics.fmean(outcome.cost_usd for outcome in outcomes), 2),
        "unit": "USD",
        "against": "the work alone",
        "ratio": round(statistics.fmean(ratios), 3),
        "ratio_ci95": round(1.96 * spread / math.sqrt(len(ratios)), 3),
        "late_pct": round(statistics.fmean(row["late_pct"] for row in rows), 2),
        "wait_p95_min": round(statistics.fmean(row["wait_p95_s"] for row in rows) / 60, 1),
        "reversals": round(statistics.fmean(row["reversals"] for row in rows), 1),
        "boots": round(statistics.fmean(row["boots"] for row in rows), 1),
    }


def decision_ms(rounds: int) -> float:
    chance = random.Random(7)
    work = [Due(chance.uniform(600, 86_400), chance.randint(1, 500)) for _ in range(1000)]
    given = ScalingInput(0, work, machines=1000, up=950, images_per_s=1.9, boot_s=240, cpu_share=0.9)
    rule, times = DeadlineRule(most=1000), []
    for _ in range(rounds):
        begun_s = time.perf_counter()
        rule(given, Memory())
        times.append(time.perf_counter() - begun_s)
    return 1000 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="two rules, one trace, two seeds")
    tiny = parser.parse_args().tiny
    traces, rules = (["bursty"], ["deadline", "thresholds"]) if tiny else (list(TRACES), list(RULES))
    seeds = SEEDS[:2] if tiny else SEEDS
    with ProcessPoolExecutor() as pool:
        for trace in traces:
            for rule in rules:
                outcomes = list(pool.map(run, [(trace, rule, seed) for seed in seeds]))
                print(json.dumps(summary(trace, rule, outcomes)), flush=True)
    line = {"name": "scaling_decision", "value": round(decision_ms(3 if tiny else 30), 2), "unit": "ms"}
    print(json.dumps(line | {"machines": 1000, "deadlines": 1000}))


if __name__ == "__main__":
    main()
