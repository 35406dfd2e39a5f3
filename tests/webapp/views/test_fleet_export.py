"""/api/results/export: what `results` writes, streamed in pieces, no more at once than there are places."""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape
from pathlib import Path

import psutil
import pytest
from flask.testing import FlaskClient

from cloud_monitor.metrics.paths import clean
from tests.webapp.sample import clock, write_sample
from tests.worker.queue.helpers import claim, queue_at
from webapp import create_app
from webapp.settings import read_settings
from webapp.views.fleet.results.export import AT_ONCE
from worker.answers.chemistry import Chemist
from worker.exports.base import CHEMISTRY, WITHOUT_LISTS
from worker.exports.export import export_to_stream, with_chemistry
from worker.queue import Queue, Result
from worker.review.export import TOGETHER, export_pieces
from worker.review.sdf import sdf_pieces

NAME = 'a/b "<i>; X: y'
LONG = "C" * 3000
COUNT = 2 * TOGETHER + 7


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/queue.db"


@pytest.fixture
def queue(url: str) -> Queue:
    """A batch of one large chunk and a small one, and another batch."""
    queue = queue_at(url)
    names = [f"=cmd{number}.png" for number in range(COUNT)]
    queue.add_directories(queue.add_batch(NAME, "/data"), [("", names), ("e", ["a.png"])], COUNT)
    queue.add_directories(queue.add_batch("other", "/data"), [("f", ["b.png"])], 5)
    for _ in range(3):
        held = claim(queue)
        results = [
            Result(image.number, None, error="=X: y")
            if image.number == 1
            else Result(image.number, LONG, ("C", "O"), (1.0, 0.25))
            for image in held.images
        ]
        queue.store(held, results)
    return queue


@pytest.fixture
def client(queue: Queue, url: str, tmp_path: Path) -> FlaskClient:
    write_sample(tmp_path / "state")
    settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
    return create_app(settings, poll=False, clock=clock).test_client()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("batch", [NAME, None])
def test_it_is_what_the_command_writes(
    client: FlaskClient, queue: Queue, form: str, batch: str | None
) -> None:
    written = io.BytesIO()
    export_to_stream(queue, form, written, batch, columns=WITHOUT_LISTS)
    asked = {"format": form} if batch is None else {"format": form, "batch": batch}
    answer = client.get("/api/results/export", query_string=asked)
    assert answer.data == written.getvalue()
    assert answer.data.count(LONG.encode()) == COUNT + (2 if batch is None else 1) - 1
    name = "all_results" if batch is None else clean(NAME)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.{form}"'


def test_tokens_are_there_on_request(client: FlaskClient) -> None:
    lines = client.get("/api/results/export?batch=other&format=jsonl&tokens=1").text.splitlines()
    assert [json.loads(line)["confidences"] for line in lines] == [[1.0, 0.25]]
    rows = list(csv.DictReader(io.StringIO(client.get("/api/results/export?batch=other").text)))
    assert [(row["smiles"], row["image"], "tokens" in row) for row in rows] == [(LONG, "f/b.png", False)]


def test_however_large_a_chunk_is_few_results_are_held_at_once(queue: Queue, url: str) -> None:
    pieces = [piece.count(b"\n") for piece in export_pieces(url, NAME, "jsonl", with_tokens=False)]
    assert pieces == [0, TOGETHER, TOGETHER, 8]


def test_beyond_the_places_there_is_none_until_one_is_read_or_left(client: FlaskClient) -> None:
    begun = [client.get("/api/results/export", buffered=False) for _ in range(AT_ONCE)]
    refused = client.get("/api/results/export")
    assert (refused.status_code, refused.json["error"]["code"]) == (503, "busy")  # type: ignore[index]
    assert int(refused.headers["Retry-After"]) > 0
    begun[0].close()  # left
    assert client.get("/api/results/export").status_code == 200
    assert client.get("/api/results/export").status_code == 200  # read to its end
    begun[1].close()


def test_what_is_refused_takes_no_place(client: FlaskClient) -> None:
    for query, status in (("format=parquet", 400), ("tokens=2", 400), ("batch=none", 404)):
        for _ in range(AT_ONCE + 1):
            assert client.get(f"/api/results/export?{query}").status_code == status
    assert client.get("/api/results/export").status_code == 200


def test_sdf_is_what_the_command_writes(client: FlaskClient, queue: Queue) -> None:
    written = io.BytesIO()
    add = with_chemistry(Chemist(), with_molfile=True)
    columns = (*WITHOUT_LISTS, *CHEMISTRY)
    export_to_stream(queue, "sdf", written, "other", columns=columns, add=add)
    answer = client.get("/api/results/export?batch=other&format=sdf")
    assert without_times(answer.data) == without_times(written.getvalue())
    assert b"\n$$$$\n" in answer.data
    assert answer.headers["Content-Type"] == "chemical/x-mdl-sdfile"
    assert client.get("/api/results/export?batch=none&format=sdf").status_code == 404


def without_times(data: bytes) -> bytes:
    """RDKit writes into a molfile when it was drawn."""
    return re.sub(rb"RDKit +\d*2D", b"RDKit 2D", data)


def test_whoever_leaves_ends_the_process_that_writes_sdf(queue: Queue, url: str) -> None:
    pieces = sdf_pieces(url, NAME)
    assert next(pieces)
    [child] = [one for one in psutil.Process().children() if "worker.review.sdf" in one.cmdline()]
    assert url not in " ".join(child.cmdline())
    pieces.close()
    assert not child.is_running()


def test_the_pages_lead_to_it(client: FlaskClient) -> None:
    fleet = client.get("/fleet").text
    batches = [unescape(link) for link in re.findall(r'<a href="(/fleet/batches/[^"?]*)"', fleet)]
    of_batch = next(link for link in batches if "other" not in link)
    for page in (fleet, client.get(of_batch).text):
        links = map(unescape, re.findall(r'href="(/api/results/export[^"]*)"', page))
        own = [link for link in links if "other" not in link]
        assert [link.rpartition("=")[2] for link in own] == ["csv", "jsonl", "sdf"]
        assert all(client.get(link).data.count(LONG.encode()) == COUNT for link in own[:2])
