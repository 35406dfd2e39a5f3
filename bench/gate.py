"""How many workers the gate lets a machine carry, in simulation, beside what the earlier fleet reported.

One JSON object a line: the workers after an hour on 16 cores with 32, 64 and 128 GB, the limit that
binds, the highest CPU and memory seen, the workers that memory alone would carry, and the seconds until
the last was started.
"""

from __future__ import annotations

import argparse
import json
import time

from bench.gate_machine import DEFAULT_LIMITS, GB, OURS, UPSTREAM, Machine, binding_reason, without_cpu
from worker.gate.admission import admit

EARLIER_FLEET = {32: "3-4", 64: "4-5", 128: "15-20"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="ten simulated minutes of one machine")
    tiny = parser.parse_args().tiny
    duration_s = 600 if tiny else 3600
    for kind in (UPSTREAM, OURS):
        for memory_gb in (32,) if tiny else (32, 64, 128):
            machine = Machine(16, memory_gb * GB, kind, DEFAULT_LIMITS)
            seconds = machine.run(duration_s)
            memory_alone = Machine(16, memory_gb * GB, kind, without_cpu(DEFAULT_LIMITS)).run(duration_s)
            line = {
                "name": f"gate.workers.{kind.name.split(',')[0]}.{memory_gb}GB",
                "value": seconds[-1].workers,
                "unit": "workers",
                "binds": binding_reason(seconds),
                "max_cpu_pct": round(max(second.cpu_pct for second in seconds)),
                "max_memory_pct": round(max(second.memory_pct for second in seconds)),
                "memory_alone": memory_alone[-1].workers,
                "full_after_s": next(s.now_s for s in seconds if s.workers == seconds[-1].workers),
                "earlier_fleet": EARLIER_FLEET[memory_gb] if kind is UPSTREAM else None,
            }
            print(json.dumps(line))
    print(
        json.dumps(
            {"name": "gate.decision", "value": round(_decision_us(200 if tiny else 20_000), 1), "unit": "us"}
        )
    )


def _decision_us(rounds: int) -> float:
    """Time of one decision about a full machine: the function alone, without reading the host."""
    machine = Machine(16, 64 * GB, UPSTREAM, DEFAULT_LIMITS)
    machine.run(600)
    load, history = machine.view(600)
    start_s = time.perf_counter()
    for _ in range(rounds):
        admit(load, DEFAULT_LIMITS, history)
    return (time.perf_counter() - start_s) / rounds * 1e6


if __name__ == "__main__":
    main()
