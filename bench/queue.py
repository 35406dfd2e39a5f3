"""The queue at the size of the fleet's largest run: 209,736 images in 4,099 directories, 16 workers of two
supervisors.

The engine is a stub that sleeps 10 ms an image, so that all else is the framework's. Lost time is 1 - time in
the stub / wall time of the workers, each worker's from being ready to its last finished chunk. SQLite gets a
quarter of the images.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.queue_admissions import measure_admissions
from bench.queue_claims import measure_claims, percentile_ms
from bench.queue_listing import measure_listing
from tests.services.postgres import run_postgres
from worker.listing import enqueue
from worker.queue import open_queue
from worker.settings import Settings
from worker.storage import open_storage

ROOT = Path(__file__).parents[1]
LINKS = 50_000  # to one file; ext4 allows 65,000


@dataclass(frozen=True)
class Size:
    images: int
    directories: int
    workers: int  # of each of the two supervisors
    stub_s: float = 0.01


FULL = Size(209_736, 4_099, 8)
QUARTER = Size(209_736 // 4, 4_099 // 4, 8)
TINY = Size(60, 6, 1)
CLAIMERS = 4  # processes that do nothing but claim
DECISIONS = 4_000
PARTS = ("postgresql", "sqlite", "claims", "admissions", "listing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="60 images and 2 workers: for the output only")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; default: all")
    options = parser.parse_args()
    tiny = options.tiny
    parts = options.part or PARTS
    sizes = {"postgresql": TINY if tiny else FULL, "sqlite": TINY if tiny else QUARTER}
    for database, size in sizes.items():
        if database in parts:
            with new_place(database) as (url, folder):
                bench_run(database, url, folder, size)
        if "claims" in parts:
            with new_place(database) as (url, _):
                for name, value, unit, more in measure_claims(
                    url, *((50, 1) if tiny else (FULL.directories, CLAIMERS))
                ):
                    tell(f"{database}_{name}", value, unit, **more)
        if "admissions" in parts:
            with new_place(database) as (url, folder):
                for name, value, unit, more in measure_admissions(
                    url, folder, *((20, 1) if tiny else (DECISIONS, 2 * FULL.workers))
                ):
                    tell(f"{database}_{name}", value, unit, **more)
    if "listing" in parts:
        for name, value, unit in measure_listing(6 if tiny else FULL.directories):
            tell(name, value, unit)


def tell(name: str, value: float, unit: str, **more: Any) -> None:
    print(json.dumps({"name": f"queue_{name}", "value": round(value, 4), "unit": unit, **more}), flush=True)


@contextmanager
def new_place(database: str) -> Iterator[tuple[str, Path]]:
    """An empty database and a folder; PostgreSQL as it is installed, with every commit on the disk."""
    with tempfile.TemporaryDirectory(prefix="bench-queue-") as folder:
        if database == "sqlite":
            yield f"sqlite:///{Path(folder) / 'queue.db'}", Path(folder)
            return
        with run_postgres(durable=True) as server:
            yield server.create_database(), Path(folder)


def bench_run(database: str, url: str, folder: Path, size: Size) -> None:
    make_images(folder / "images", size)
    storage = open_storage(str(folder / "images"), Settings())
    queue = open_queue(url)
    started_s = time.perf_counter()
    batch = queue.add_batch("bench", storage.url)
    add = partial(queue.add_directories, batch, chunk_images=500)
    done = enqueue(add, storage.list_directories(), lambda _: None)
    took_s = time.perf_counter() - started_s
    tell(
        f"{database}_enqueue",
        took_s,
        "s",
        images=done.images,
        chunks=done.new_chunks,
        requests=storage.requests,
    )
    started_s = time.perf_counter()
    measured = run_fleet(url, folder, size)
    took_s = time.perf_counter() - started_s
    stored = sum(count for _, count in queue.result_counts())
    queue.close()
    if stored != size.images or sum(worker["images"] for worker in measured) != size.images:
        sys.exit(f"{stored} results of {size.images} images\n{said(folder)}")
    wall_s = sum(worker["wall_s"] for worker in measured)
    stub_s = sum(worker["stub_s"] for worker in measured)
    slept_ms = round(1000 * stub_s / size.images, 2)  # a little more than was asked for: the CPUs are busy
    lost = {"workers": len(measured), "images": size.images, "stub_ms": slept_ms}
    tell(f"{database}_lost", 100 * (1 - stub_s / wall_s), "%", **lost)
    tell(f"{database}_rate", size.images / took_s, "images/s", started="with the supervisors' start")
    claims_s = [span for worker in measured for span in worker["claim_s"]]
    admissions_s = [
        whole - claim
        for worker in measured
        for whole, claim in zip(worker["admission_s"], worker["claim_s"], strict=True)
    ]
    stores_s = [span for worker in measured for span in worker["store_s"]]
    for name, spans_s in (("claim", claims_s), ("admission", admissions_s), ("store", stores_s)):
        tell(f"{database}_run_{name}_p50", percentile_ms(spans_s, 50), "ms")
        tell(f"{database}_run_{name}_p99", percentile_ms(spans_s, 99), "ms", of=len(spans_s))


def make_images(folder: Path, size: Size) -> None:
    """Links to a few files: what is measured reads the same bytes."""
    folder.mkdir(parents=True)
    sources: list[Path] = []
    for number in range(size.images):
        if number % LINKS == 0:
            sources.append(folder.parent / f"image-{number}.png")
            sources[-1].write_bytes(b"an image of a few bytes")
        directory = folder / f"d{number % size.directories:05}"
        if number < size.directories:
            directory.mkdir()
        os.link(sources[-1], directory / f"{number:07}.png")


def run_fleet(url: str, folder: Path, size: Size) -> list[dict[str, Any]]:
    """What each worker measured, after both supervisors found the queue empty."""
    supervisors = []
    for number in range(2):
        environment = {
            **os.environ,
            "WORKER_DATABASE_URL": url,
            "WORKER_RESULTS_URL": str(folder / "results"),
            "WORKER_STATE_DIR": str(folder / f"state-{number}"),
            "WORKER_TEMP_DIR": str(folder / f"temp-{number}"),
            "WORKER_HOST_NAME": f"host-{number}",
            "WORKER_WARM_UP_GROUP": f"host-{number}",
            "WORKER_DECIMER_ENGINE": "stub",
            "WORKER_STUB_S": str(size.stub_s),
            "WORKER_MAX_WORKERS": str(size.workers),
            "WORKER_CPU_THRESHOLD_PCT": "100",
            "WORKER_MEMORY_THRESHOLD_PCT": "100",
            "WORKER_MEMORY_DRAIN_PCT": "100",
            "WORKER_AVERAGE_S": "0.5",
            "WORKER_SCHEDULED_EVENTS_URL": "off",
        }
        with (folder / f"supervisor-{number}.log").open("wb") as log:
            command = [sys.executable, "-m", "bench.queue_worker", "--run"]
            supervisors.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
    try:
        for supervisor in supervisors:
            if supervisor.wait(1800) != 0:
                sys.exit(f"a supervisor ended with {supervisor.returncode}\n{said(folder)}")
    finally:
        for supervisor in supervisors:
            supervisor.terminate()
            supervisor.wait(60)
    return [json.loads(path.read_text()) for path in folder.glob("state-*/*.measured.json")]


def said(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace")[-2000:] for path in folder.glob("supervisor-*.log"))


if __name__ == "__main__":
    main()
