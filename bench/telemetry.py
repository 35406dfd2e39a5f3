"""What telemetry costs a worker: memory, the caller's time, and the end of the process at a silent receiver.

Each case is a process of its own that imports what a worker does. Memory is private (RSS less what is mapped
from files). `against` is the same process without telemetry.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.services.ingestion import Ingestion, ingestion
from tests.services.receivers import silent_listener

ROOT = Path(__file__).parents[1]
CHUNKS, TINY_CHUNKS = 100, 10


def environments(server: Ingestion) -> dict[str, dict[str, str]]:
    azure = {"WORKER_APPLICATIONINSIGHTS_CONNECTION_STRING": server.connection_string}
    otlp = {"WORKER_OTLP_ENDPOINT": server.url}
    return {"off": {}, "otlp": otlp, "azure": azure, "both": azure | otlp}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help=f"{TINY_CHUNKS} chunks: for the output only")
    parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case is not None:
        print(json.dumps(measure(options.case)))
        return
    chunks = TINY_CHUNKS if options.tiny else CHUNKS
    with ingestion() as server, silent_listener() as silent:
        held = server.connection_string.replace(str(server.server_port), str(silent))
        wanted = environments(server) | {"silent": {"WORKER_APPLICATIONINSIGHTS_CONNECTION_STRING": held}}
        with ThreadPoolExecutor(len(wanted) if options.tiny else 1) as pool:
            found = pool.map(lambda environment: run(chunks, environment), wanted.values())
            cases = dict(zip(wanted, found, strict=True))
    silent_end = cases.pop("silent")
    off = cases.pop("off")
    for name, case in cases.items():
        tell(f"telemetry_{name}_memory", case["memory_mb"] - off["memory_mb"], "MB", off["memory_mb"])
        tell(
            f"telemetry_{name}_call", 1e6 * (case["call_s"] - off["call_s"]), "us/chunk", 1e6 * off["call_s"]
        )
    tell("telemetry_silent_end", silent_end["close_s"], "s", off["close_s"])


def run(chunks: int, environment: dict[str, str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as state_dir:
        command = [sys.executable, "-m", "bench.telemetry", "--case", str(chunks)]
        given = {**os.environ, "WORKER_STATE_DIR": state_dir, **environment}
        answer = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def measure(chunks: int) -> dict[str, float]:
    """In a process of its own: chunks as a worker tells them, then the end."""
    import worker.runner.runner
    from cloud_monitor.system.usage import read_process_memory
    from worker.queue import Claim, Lease, QueuedImage
    from worker.settings import read_settings
    from worker.telemetry import open_telemetry

    assert worker.runner.runner
    import requests

    assert requests  # of the storage's library, which a worker on Azure has
    telemetry = open_telemetry(read_settings(), "worker", "bench")
    images = tuple(QueuedImage(number, f"{number}.png") for number in range(8))
    claim = Claim(1, 1, "batch/a#0", "batch", "/", "a", 1, 1, None, 8, images, Lease(0))
    started_s = time.perf_counter()
    for _ in range(chunks):
        with telemetry.claiming() as trace:
            trace.claimed(claim)
        trace.started(claim, 35, 4_500_000)
        for name in ("download", "store", "upload", "finish"):
            with trace.step(name, images=8):
                pass
        trace.end("done", "", time.time(), 8)
    call_s = (time.perf_counter() - started_s) / chunks
    memory = read_process_memory(os.getpid())
    assert memory is not None
    started_s = time.perf_counter()
    telemetry.close()
    return {
        "memory_mb": memory.private_bytes / 1e6,
        "call_s": call_s,
        "close_s": time.perf_counter() - started_s,
    }


def tell(name: str, value: float, unit: str, against: float) -> None:
    print(json.dumps({"name": name, "value": round(value, 3), "unit": unit, "against": round(against, 3)}))


if __name__ == "__main__":
    main()
