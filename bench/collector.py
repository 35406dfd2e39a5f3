"""A whole run of the collector over a large HTCondor pool, against the tools that an operator would cron.

    python -m bench.collector [--tiny]

Two pools with 20,000 slots, one with 100,000 jobs, one with 1,000. In turn: the collector from process start
to the close handshake of its delivery (host and HTCondor sources, three job types, clouds by attribute), and
`condor_q -allusers -af JobStatus` followed by `condor_status -af Name State`; then the collector with the
inventory: machines and 1,000 of the jobs are listed and sent to a page. Medians; the memory is the largest
peak of any process of a run, which is watched in a run of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any

from bench.condor_load import read_templates, start_pool
from tests.collector.inventory.page import TOKEN, page
from tests.services.condor import CondorPool, condor_prefix

JOB_TYPES = 'mcore = RequestCpus > 1; iaas = regexp("^IAAS", TargetClouds); cern = TargetClouds == "CERN"'
QDATES_MIN = 10_000


class Sink:
    """Takes pickle frames as Carbon does: reads to the end, then closes."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.received: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            with connection:
                chunks = []
                while chunk := connection.recv(1 << 20):
                    chunks.append(chunk)
                self.received.append(b"".join(chunks))

    def points(self) -> dict[str, float]:
        """Of the last delivery."""
        data, found = self.received[-1], {}
        while data:
            (length,) = struct.unpack_from("!L", data)
            found |= {path: value for path, (_, value) in pickle.loads(data[4 : 4 + length])}
            data = data[4 + length :]
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="small pools, for the output's sake only")
    tiny = parser.parse_args().tiny
    few, many, slots, rounds = (20, 400, 80, 1) if tiny else (1000, 100_000, 20_000, 7)
    prefix, now = condor_prefix(), int(time.time())
    templates, sink = read_templates(prefix), Sink()
    with tempfile.TemporaryDirectory(prefix="bench-collector-") as temporary:
        os.chmod(temporary, 0o755)
        token_file = Path(temporary) / "token"
        token_file.write_text(TOKEN)
        with ExitStack() as stack:
            url, taken = stack.enter_context(page())
            inventory = {"COLLECTOR_INVENTORY_URL": url, "COLLECTOR_INVENTORY_TOKEN_FILE": str(token_file)}
            pools = []
            for jobs in (few, many):
                pools.append(start_pool(prefix, Path(temporary) / str(jobs), templates, jobs, slots, now))
                stack.callback(pools[-1].stop)
            small, large = pools
            run_s, tools_s, small_s, inventory_s = measure(small, large, sink, rounds, inventory)
            memory_mb = watch_memory(large, sink)
            inventory_mb = watch_memory(large, sink, inventory)
            check_delivery(sink.points(), large, many, slots)
            check_inventory(taken[-1].json(), many, slots)
    tools = "condor_q -allusers -af JobStatus; condor_status -af Name State"
    report("collector_run", run_s, "s", against=tools, ratio=run_s / tools_s, jobs=many, slots=slots)
    report("collector_run_small", small_s, "s", jobs=few, slots=slots)
    report("collector_growth", run_s / small_s, "times", against=f"{few} jobs", ratio=run_s / small_s)
    report("collector_memory", memory_mb, "MB", jobs=many, slots=slots)
    without = "without the inventory"
    report("collector_run_inventory", inventory_s, "s", against=without, ratio=inventory_s / run_s)
    report("collector_memory_inventory", inventory_mb, "MB", against=without, ratio=inventory_mb / memory_mb)


def measure(
    small: CondorPool, large: CondorPool, sink: Sink, rounds: int, inventory: dict[str, str]
) -> tuple[float, float, float, float]:
    """Medians in seconds: the collector and the tools on the large pool, the collector on the small one, and
    on the large one with the inventory."""
    seconds: list[list[float]] = [[], [], [], []]
    for _ in range(rounds):
        seconds[0].append(timed(lambda: start_collector(large, sink).wait()))
        seconds[1].append(timed(lambda: run_tools(large)))
        seconds[2].append(timed(lambda: start_collector(small, sink).wait()))
        seconds[3].append(timed(lambda: start_collector(large, sink, inventory).wait()))
    run_s, tools_s, small_s, inventory_s = (median(taken) for taken in seconds)
    return run_s, tools_s, small_s, inventory_s


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    status = action()
    taken = time.perf_counter() - start
    if status:
        sys.exit(f"the collector ended with status {status}")
    return taken


def start_collector(
    pool: CondorPool, sink: Sink, settings: Mapping[str, str] = MappingProxyType({})
) -> subprocess.Popen[bytes]:
    environment = {
        **pool.env(),
        **settings,
        "COLLECTOR_GRID": "bench",
        "COLLECTOR_CARBON": f"127.0.0.1:{sink.port}",
        "COLLECTOR_STATE_DIR": str(pool.directory / "collector"),
        "COLLECTOR_JOB_TYPES": JOB_TYPES,
        "COLLECTOR_CONDOR_CLOUD_ATTRIBUTE": "CloudProvider",
    }
    return subprocess.Popen([sys.executable, "-m", "collector"], env=environment)


def run_tools(pool: CondorPool) -> None:
    for name, arguments in (("condor_q", "-allusers -af JobStatus"), ("condor_status", "-af Name State")):
        program = pool.prefix / "usr/bin" / name
        subprocess.run([program, *arguments.split()], env=pool.env(), stdout=subprocess.DEVNULL, check=True)


def watch_memory(pool: CondorPool, sink: Sink, settings: Mapping[str, str] = MappingProxyType({})) -> float:
    """Largest peak resident memory of any process of one run, in MB, from the kernel's high-water marks."""
    run = start_collector(pool, sink, settings)
    peak_kb = 0
    while run.poll() is None:
        peak_kb = max([peak_kb, *(read_peak_kb(pid) for pid in family(run.pid))])
        time.sleep(0.001)
    return peak_kb / 1024


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [pid, *(member for child in text.split() for member in family(int(child)))]


def read_peak_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def check_delivery(points: dict[str, float], pool: CondorPool, jobs: int, slots: int) -> None:
    """What arrived is what the pool holds, and the pool is the one that was asked for."""
    assert points["grids.bench.jobs.all.total"] == jobs, points["grids.bench.jobs.all.total"]
    assert points["grids.bench.slots.all.total"] == slots
    assert points["grids.bench.wait.all.p95_s"] > points["grids.bench.wait.all.p50_s"] > 0
    queued = set(pool.tool("condor_q", "-allusers", "-af", "QDate").split())
    assert len(queued) >= min(QDATES_MIN, jobs // 10), len(queued)


def check_inventory(body: dict[str, Any], jobs: int, slots: int) -> None:
    """The page got what it should list, of as many as there are."""
    assert sum(body["jobs_total"].values()) == jobs
    assert len(body["jobs"]) == min(jobs, 1000)
    assert body["jobs_cut"] == (jobs > 1000)
    assert 0 < len(body["vms"]) <= body["vms_total"] <= slots


def report(name: str, value: float, unit: str, **more: Any) -> None:
    more = {key: round(item, 3) if isinstance(item, float) else item for key, item in more.items()}
    print(json.dumps({"name": name, "value": round(value, 3), "unit": unit, **more}), flush=True)


if __name__ == "__main__":
    main()
