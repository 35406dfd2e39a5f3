"""Lists of VMs and jobs: how long one takes to be kept, a filter and a page to be answered, at what memory.

The page is `python -m webapp`, the peer (in the same run) a Flask view under the same server that writes
each list to a file as it comes, and reads and filters that file when it is asked: no history, no check of any
field. Lists differ in what changes from minute to minute: busy slots, idle VMs, hosts.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from bench.pss import read_tree_pss_mb
from tests.services.support import free_port, listens, stop_process, wait_until
from tests.webapp.listings import TOKEN, write_token
from tests.webapp.sample import write_sample

PEER = "a Flask view that writes and filters a file"
_PEER = """
import gzip, json, sys
from pathlib import Path
import waitress
from flask import Flask, Response, request

app, file = Flask(__name__), Path(sys.argv[2])

@app.put("/api/inventory/<grid>")
def put(grid):
    file.write_bytes(gzip.decompress(request.get_data()))
    return "", 204

@app.get("/api/vms")
def vms():
    found = [vm for vm in json.loads(file.read_bytes())["vms"] if vm["status"] == request.args["status"]]
    return Response(json.dumps(found), content_type="application/json")

waitress.serve(app, port=int(sys.argv[1]), threads=8)
"""
_HEADERS = {
    "Authorization": f"Bearer {TOKEN}",
    "Content-Type": "application/json",
    "Content-Encoding": "gzip",
}


def list_of(vms: int, jobs: int, at: int) -> bytes:
    """A list as the collector sends it."""
    chance = random.Random(at)
    body = {
        "version": 1, "taken_at": at, "vms_total": vms, "jobs_total": {"held": 400, "running": 72000},
        "jobs_cut": True,
        "vms": [
            {
                "host": f"vm{number}.cern.example", "name": f"i-{number:08x}", "cloud": f"cloud-{number % 7}",
                "vmtype": "large", "status": "running" if number % 97 else "error", "registered": True,
                "machine": f"vm{number}.cern.example", "idle": chance.random() < 0.05, "slots": 8,
                "busy_slots": chance.randrange(9), "since": 1_790_000_000 + number,
                "started_at": 1_780_000_000,
            }
            for number in range(vms)
        ],
        "jobs": [
            {
                "id": f"{number // 10}.{number % 10}", "schedd": "sched-1", "types": ["sim"],
                "status": "held" if number % 3 == 0 else "running", "group": "group_prod", "starts": 1,
                "queued_at": 1_790_000_000, "since": 1_790_000_000 + number, "user": f"user{number % 9}",
                "host": f"vm{chance.randrange(vms)}.cern.example",
                "hold_code": 34 if number % 3 == 0 else None,
                "hold_reason": "Job has gone over memory limit of 4096 megabytes." if number % 3 == 0 else "",
            }
            for number in range(jobs)
        ],
    }  # fmt: skip
    return gzip.compress(json.dumps(body).encode(), 1)


@contextmanager
def serve(command: list[str], **variables: str) -> Iterator[tuple[str, int]]:
    """Start a server of HTTP on the port it is given last; yields its address and process id."""
    port = free_port()
    arguments = [part.replace("PORT", str(port)) for part in command]
    environment = os.environ | {name: value.replace("PORT", str(port)) for name, value in variables.items()}
    process = subprocess.Popen([sys.executable, *arguments], env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port), "the server", 60)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        stop_process(process)


def median_ms(asks: list[Any]) -> float:
    """The median time of calls that each return an answer of HTTP, which must be a good one."""
    times = []
    for ask in asks:
        started = time.perf_counter()
        answer = ask()
        times.append((time.perf_counter() - started) * 1000)
        answer.raise_for_status()
    return statistics.median(times)


def measure(url: str, lists: list[bytes], rounds: int) -> dict[str, float]:
    """Times in ms. Each list is sent once, in its order."""
    with requests.Session() as session:
        put = f"{url}/api/inventory/belle"
        return {
            "put": median_ms([lambda body=body: session.put(put, body, headers=_HEADERS) for body in lists]),
            "filter": median_ms([lambda: session.get(f"{url}/api/vms?status=error")] * rounds),
        }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="short lists, twice: for the output only")
    tiny = parser.parse_args(arguments).tiny
    vms, jobs, rounds = (50, 10, 2) if tiny else (5000, 1000, 15)
    newest = int(time.time()) // 60 * 60
    lists = [list_of(vms, jobs, newest - 60 * back) for back in reversed(range(rounds))]
    with tempfile.TemporaryDirectory(prefix="bench-inventory-") as temporary:
        folder = Path(temporary)
        with serve(["-c", _PEER, "PORT", str(folder / "list.json")]) as (url, _):
            peer = measure(url, lists, rounds)
        write_sample(folder, time.time())
        variables = {
            "WEBAPP_PORT": "PORT",
            "WEBAPP_STATE_DIR": temporary,
            "WEBAPP_GRAPHITE_URL": "http://127.0.0.1:9",
            "WEBAPP_INVENTORY_TOKEN_FILE": str(write_token(folder)),
        }
        with serve(["-m", "webapp"], **variables) as (url, pid):
            requests.get(url, timeout=60)
            before_mb = read_tree_pss_mb(pid)
            ours = measure(url, lists, rounds)
            after_mb = read_tree_pss_mb(pid)
            page = f"{url}/grids/belle/vms"
            etag = {"If-None-Match": requests.get(page, timeout=60).headers["ETag"]}
            page_ms = median_ms([lambda: requests.get(page, timeout=60)] * rounds)
            unchanged_ms = median_ms([lambda: requests.get(page, headers=etag, timeout=60)] * rounds)
            file_bytes = sum(file.stat().st_size for file in (folder / "inventory").iterdir())
    for name in ("put", "filter"):
        say(f"inventory_{name}", ours[name], "ms", PEER, ours[name] / peer[name])
    say("inventory_page", page_ms, "ms")
    say("inventory_page_304", unchanged_ms, "ms")
    say("inventory_file", file_bytes / 1e6, "MB")
    say("inventory_memory_before", before_mb, "MB PSS")
    say("inventory_memory_after", after_mb, "MB PSS", "before any list", after_mb / before_mb)
    return 0


def say(name: str, value: float, unit: str, against: str = "", ratio: float = 0.0) -> None:
    line: dict[str, object] = {"name": name, "value": round(value, 2), "unit": unit}
    if against:
        line |= {"against": against, "ratio": round(ratio, 2)}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
