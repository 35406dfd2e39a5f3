"""The table of machine sizes in docs/machines.md, by the gate itself and the worker's own estimate:
`python -m tools.machine_size_tables` writes it anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from worker.gate.admission import admit
from worker.gate.limits import gate_limits
from worker.gate.model import Decision, GateInput, GateVerdict, History, MemoryArea, Reason, WorkerView
from worker.gate.resource_estimate import engine_estimate
from worker.settings import Settings

DOCS = Path(__file__).resolve().parent.parent / "docs/machines.md"
SYSTEM_BYTES = 600_000_000  # of the system and the supervisor, before there is a worker
GIB = 1 << 30
_TABLE = re.compile(r"^\| size \|.*?(?=^(?!\|)|\Z)", re.MULTILINE | re.DOTALL)
_LIMITS = {
    Reason.CPU: "CPU",
    Reason.CPU_NEED: "CPU",
    Reason.MEMORY: "memory",
    Reason.MEMORY_NEED: "memory",
    Reason.MEMORY_NEVER: "memory",
}


class Size(NamedTuple):
    name: str
    cores: int
    memory_gb: float


# As the clouds' documents have them
SIZES = (
    Size("Azure Standard_F2s_v2", 2, 4),
    Size("Azure Standard_F4s_v2", 4, 8),
    Size("Azure Standard_F8s_v2", 8, 16),
    Size("Azure Standard_F16s_v2", 16, 32),
    Size("Azure Standard_F32s_v2", 32, 64),
    Size("Azure Standard_D8ds_v5", 8, 32),
    Size("Azure Standard_D16ds_v5", 16, 64),
    Size("Azure Standard_E8ds_v5", 8, 64),
    Size("Azure Standard_E16ds_v5", 16, 128),
    Size("EC2 c7i.large", 2, 4),
    Size("EC2 c7i.xlarge", 4, 8),
    Size("EC2 c7i.4xlarge", 16, 32),
    Size("EC2 m7i.2xlarge", 8, 32),
    Size("EC2 m7i.4xlarge", 16, 64),
    Size("EC2 r7i.4xlarge", 16, 128),
    Size("OpenStack m1.small", 1, 2),
    Size("OpenStack m1.medium", 2, 4),
    Size("OpenStack m1.large", 4, 8),
    Size("OpenStack m1.xlarge", 8, 16),
)


def workers_on(size: Size, settings: Settings) -> tuple[int, str]:
    """(how many the gate admits, one after another, all of them busy; which limit then binds)"""
    count = 0
    while True:
        decision = _next(size, count, settings)
        if decision.verdict is not GateVerdict.ADMIT:
            return count, _LIMITS[decision.reason]
        count += 1


def _next(size: Size, count: int, settings: Settings) -> Decision:
    estimate, limits = engine_estimate(settings), gate_limits(settings)
    used_bytes = SYSTEM_BYTES + count * estimate.private_bytes + (estimate.shared_bytes if count else 0)
    memory = MemoryArea("the host", used_bytes, used_bytes, int(size.memory_gb * GIB))
    now_s = 1e6
    workers = tuple(
        WorkerView(f"w{number}", 0, 0, private_bytes=estimate.private_bytes) for number in range(count)
    )
    cpu_pct = min(100.0, 100 * count * estimate.cpus / size.cores)
    inputs = GateInput(now_s, limits.window_s, cpu_pct, (memory,), claimable_chunks=count + 1)
    return admit(inputs, limits, History(workers, estimate))


def sizes_table(sizes: Sequence[Size] = SIZES) -> str:
    """In Markdown; the defaults of the settings, nothing else on the machine."""
    rows = [
        "| size | cores | memory | workers, this engine | limit | workers, upstream's engine | limit |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in sizes:
        ours, our_limit = workers_on(size, Settings(decimer_engine="onnx"))
        theirs, their_limit = workers_on(size, Settings(decimer_engine="upstream"))
        rows.append(
            f"| {size.name} | {size.cores} | {size.memory_gb:g} GB | {ours} | {our_limit} | {theirs} |"
            f" {their_limit} |"
        )
    return "\n".join(rows) + "\n"


def fill_tables(text: str) -> str:
    return _TABLE.sub(lambda _: sizes_table(), text, count=1)


if __name__ == "__main__":
    DOCS.write_text(fill_tables(DOCS.read_text()))
