"""A batch's gallery over 10,000 results (`--results` for other sizes), on both databases: how long the page
takes to answer, by what is asked of it, against reading the whole batch and sorting it in the same run; so
too the fleet's page and its lists, and a download of the whole batch.

Memory is that of the page's process, after its pages were gone through, one after the other.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from html import unescape
from pathlib import Path

import requests
from sqlalchemy import Connection, func, select

from bench.pss import read_tree_pss_mb
from bench.queue import new_place
from bench.web import say
from tests.services.support import free_port, listens, stop_process, wait_until
from tests.webapp.sample import write_sample
from worker.answers.notes import Note
from worker.queue import Queue, Result, Usage, open_queue
from worker.queue.chosen import read_all
from worker.queue.database.connections import Database
from worker.queue.schema import images, results
from worker.queue.statistics.queue import read_figures

PEER = "reading the whole batch and sorting it"
LIKE = "the texts' bare LIKE in SQL, its results counted"
CHUNK = 500
TOKENS = ("C", "=", "1") * 20  # as many as a real drawing has
NOTE = (Note("unparsable", "ring bond 1 is not closed"),)
FOLDERS = 20
ASKED = {
    "first": "",
    "not_a_molecule": "?show=not_a_molecule",
    "failed": "?show=failed",
    "below": "?below=0.3",
    "folder": "?folder=d7",
    "text": "?text=00777",
    "text_of_none": "?text=nowhere",
    "text_of_all": "?text=png",
    "note_of_none": "?note=inverted",
}
SEARCHES = ("text", "text_of_none", "text_of_all")
PAGES = {"fleet": "/fleet", "failed_of_all": "/fleet/failed", "chunks": "/fleet/chunks?batch=b"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="240 results on SQLite: for the output only")
    parser.add_argument("--results", type=int, default=10_000)
    parser.add_argument("--pages", type=int, default=170, help="most pages that are gone through")
    asked = parser.parse_args()
    count = 240 if asked.tiny else asked.results
    rounds = 1 if asked.tiny else 5
    for database in ("sqlite",) if asked.tiny else ("sqlite", "postgresql"):
        with new_place(database) as (url, _):
            queue = open_queue(url)
            fill(queue, count)
            queue.close()
            with run_page(url) as (address, pid):
                measure(f"gallery_{database}", url, address, rounds)
                walk(f"gallery_{database}", address, pid, asked.pages)
                download(f"gallery_{database}", address, pid)


def fill(queue: Queue, count: int) -> None:
    """One in fifty failed, one in thirty is no molecule."""
    batch = queue.add_batch("b", "/data")
    names = [f"{number:06}.png" for number in range(count)]
    each = -(-count // FOLDERS)
    parts = [(f"d{part}", names[part * each : (part + 1) * each]) for part in range(FOLDERS)]
    queue.add_directories(batch, parts, CHUNK)
    chance = random.Random(1)
    while claim := queue.claim("w", "h", "stub", "stub"):
        found = [result_of(int(image.name.partition(".")[0]), image.number, chance) for image in claim.images]
        queue.finish(queue.store(claim, found), Usage())


def result_of(name: int, number: int, chance: random.Random) -> Result:
    if name % 50 == 0:
        return Result(number, None, error="BlankImage: grey")
    confidences = tuple(1 - chance.random() ** 40 for _ in TOKENS)
    return Result(number, "C" * 40, TOKENS, confidences, notes=NOTE if name % 30 == 1 else ())


@contextmanager
def run_page(queue_url: str) -> Iterator[tuple[str, int]]:
    """`python -m webapp` without a Graphite: its address and process."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-gallery-") as folder:
        write_sample(Path(folder))
        variables = {
            "WEBAPP_GRAPHITE_URL": "http://127.0.0.1:9",
            "WEBAPP_STATE_DIR": folder,
            "WEBAPP_PORT": str(port),
            "WEBAPP_FLEET_DATABASE_URL": queue_url,
        }
        page = subprocess.Popen(
            [sys.executable, "-m", "webapp"], env=os.environ | variables, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: listens(port), "the page")
            yield f"http://127.0.0.1:{port}", page.pid
        finally:
            stop_process(page)


def measure(name: str, url: str, address: str, rounds: int) -> None:
    requests.get(f"{address}/fleet/batches/b", timeout=60).raise_for_status()  # which imports what it needs
    whole_s = statistics.median(read_whole(url) for _ in range(rounds))
    say(f"{name}_whole_batch", 1000 * whole_s, "ms")
    like_s = statistics.median(count_alike(url, "nowhere") for _ in range(rounds))
    say(f"{name}_like", 1000 * like_s, "ms")
    for what, query in ASKED.items():
        took_s = statistics.median(ask(f"{address}/fleet/batches/b{query}")[0] for _ in range(rounds))
        peer, peer_s = (LIKE, like_s) if what in SEARCHES else (PEER, whole_s)
        say(f"{name}_{what}", 1000 * took_s, "ms", peer, took_s / peer_s)
    _, html = ask(f"{address}/fleet/batches/b")
    links = [unescape(link) for link in re.findall(r'href="(/fleet/results/[^"]*)"', html)]
    took_s = statistics.median(ask(f"{address}{link}")[0] for link in links[: 5 * rounds])
    say(f"{name}_result", 1000 * took_s, "ms", PEER, took_s / whole_s)
    measure_fleet(name, url, address, rounds, whole_s)


def measure_fleet(name: str, url: str, address: str, rounds: int, whole_s: float) -> None:
    """The fleet's page, reading its figures anew and with figures kept; the lists that it leads to."""
    fresh_s = statistics.median(read_anew(url) for _ in range(rounds))
    say(f"{name}_fleet_figures", 1000 * fresh_s, "ms", PEER, fresh_s / whole_s)
    for what, path in PAGES.items():
        ask(address + path)
        took_s = statistics.median(ask(address + path)[0] for _ in range(rounds))
        say(f"{name}_{what}", 1000 * took_s, "ms", PEER, took_s / whole_s)


def read_anew(url: str) -> float:
    started_s = time.perf_counter()
    read_figures(url, last=20, latest=20)
    return time.perf_counter() - started_s


def download(name: str, address: str, pid: int) -> None:
    """All results as CSV: how long, and the most memory of the page meanwhile."""
    started_s, size, most_mb = time.perf_counter(), 0, 0.0
    with requests.get(f"{address}/api/results/export?batch=b", stream=True, timeout=600) as answer:
        answer.raise_for_status()
        for number, piece in enumerate(answer.iter_content(2**20)):
            size += len(piece)
            if number % 5 == 0:
                most_mb = max(most_mb, read_tree_pss_mb(pid))
    say(f"{name}_export", time.perf_counter() - started_s, "s")
    say(f"{name}_export_size", size / 1e6, "MB")
    say(f"{name}_export_memory", most_mb, "MB")


def ask(address: str) -> tuple[float, str]:
    """Seconds from question to whole answer, and the page."""
    started_s = time.perf_counter()
    answer = requests.get(address, timeout=120)
    took_s = time.perf_counter() - started_s
    answer.raise_for_status()
    return took_s, answer.text


def read_whole(url: str) -> float:
    started_s = time.perf_counter()
    with closing(Database(url, 2, read_only=True)) as database:
        rows = [row for row in read_all(database, "b", {}) if row.result.smiles is not None]
    rows.sort(key=lambda row: (row.result.least_confidence, row.chunk, row.result.number))
    return time.perf_counter() - started_s


def count_alike(url: str, text: str) -> float:
    """Seconds that the database takes to look through the texts that a search looks through."""
    started_s = time.perf_counter()
    with closing(Database(url, 2, read_only=True)) as database:
        for column in (results.c.smiles, images.c.name):
            query = select(func.count()).where(column.icontains(text))
            database.read(partial(Connection.execute, statement=query)).scalar_one()
    return time.perf_counter() - started_s


def walk(name: str, address: str, pid: int, most: int) -> None:
    """From the first page on by the links to the next."""
    before_mb, slowest_s, query, pages = read_tree_pss_mb(pid), 0.0, "", 0
    while pages < most:
        took_s, html = ask(f"{address}/fleet/batches/b{query}")
        slowest_s, pages = max(slowest_s, took_s), pages + 1
        following = re.search(r'<a href="([^"]*)" rel="next">', html)
        if following is None:
            break
        query = unescape(following[1])
    say(f"{name}_slowest_page", 1000 * slowest_s, "ms")
    say(f"{name}_pages", pages, "pages")
    say(f"{name}_memory_before", before_mb, "MB")
    say(f"{name}_memory_after", read_tree_pss_mb(pid), "MB")


if __name__ == "__main__":
    main()
