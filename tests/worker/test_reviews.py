"""`results --reviews`: what people said beside the answers they said it of, from a file or from a page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rdkit.Chem import SDMolSupplier

from cloud_monitor.reviews import LINE_MAX, Review, write_line
from tests.services.answering import Answer, answering
from tests.services.raw_http import Send, run_raw_server
from tests.webapp.sample import clock, write_sample
from tests.worker.queue.helpers import claim, queue_at
from tests.worker.test_commands import Fleet
from webapp import create_app
from webapp.settings import read_settings
from worker.exports.base import REVIEW
from worker.exports.reviews import ReviewsRefused, ReviewTable, read_reviews
from worker.queue import Result, Usage

TOKEN = "anna-s-token-0123456789"


def file_hash(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


GIVEN = (
    Review(file_hash(0), "C0", "wrong", None, "bert", 1_760_000_000.0),
    Review(file_hash(0), "C0", "corrected", "=CC", "anna <b>", 1_760_000_001.5),
    Review(file_hash(1), "C", "right", None, "anna", 1_760_000_002.0),  # of an answer there was
    Review(file_hash(2), "C2", "right", None, "anna", 1_760_000_003.0),
    Review(file_hash(3), "C3", "right", None, "anna", 1_760_000_004.0),  # has an error now
)
LINES = "".join(map(write_line, GIVEN))


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Batch `b` of four images, the last with an error."""
    fleet = Fleet(tmp_path, f"sqlite:///{tmp_path / 'queue.db'}")
    queue = queue_at(fleet.url)
    queue.add_directories(queue.add_batch("b", "/data"), [("d", [f"{n}.png" for n in range(4)])], 4)
    held = claim(queue)
    made = [Result(n, f"C{n}", ("C",), (0.5,), sha256=file_hash(n)) for n in range(3)]
    error = Result(3, None, error="BlankImage: grey", sha256=file_hash(3))
    queue.finish(queue.store(held, [*made, error]), Usage())
    queue.close()
    return fleet


EXPECTED = {
    "d/0.png": [file_hash(0), "corrected", "=CC", "anna <b>", 1_760_000_001.5],
    "d/1.png": [file_hash(1), None, None, None, None],
    "d/2.png": [file_hash(2), "right", None, "anna", 1_760_000_003.0],
    "d/3.png": [file_hash(3), None, None, None, None],
}


def read_csv(file: Path) -> dict[str, list[Any]]:
    rows = csv.DictReader(io.StringIO(file.read_text()))
    return {row["image"]: [_number(name, row[name].strip() or None) for name in REVIEW] for row in rows}


def _number(name: str, value: str | None) -> object:
    return float(value) if value is not None and name == "reviewed_at" else value


def read_jsonl(file: Path) -> dict[str, list[Any]]:
    rows = map(json.loads, file.read_text().splitlines())
    return {row["image"]: [row[name] for name in REVIEW] for row in rows}


def read_parquet(file: Path) -> dict[str, list[Any]]:
    return {row["image"]: [row[name] for name in REVIEW] for row in pq.read_table(file).to_pylist()}


def read_sdf(file: Path) -> dict[str, list[Any]]:
    return {
        found.GetProp("image"): [
            _number(name, found.GetProp(name)) if found.HasProp(name) else None for name in REVIEW
        ]
        for found in SDMolSupplier(str(file))
    }


@pytest.mark.parametrize(
    ("form", "read"), [("csv", read_csv), ("jsonl", read_jsonl), ("parquet", read_parquet), ("sdf", read_sdf)]
)
def test_reviews_stand_beside_the_answers_they_are_of(
    fleet: Fleet, tmp_path: Path, form: str, read: Callable[[Path], dict[str, list[Any]]]
) -> None:
    given, output = tmp_path / "reviews.jsonl", tmp_path / "out"
    given.write_text(LINES)
    fleet.worker("results", "b", "--format", form, "--output", str(output), "--reviews", str(given))
    assert read(output) == EXPECTED


def test_reviews_go_with_every_choice_and_are_not_gone_on_with(fleet: Fleet, tmp_path: Path) -> None:
    given = tmp_path / "reviews.jsonl"
    given.write_text(LINES)
    sure = ["--min-confidence", "0.4", "--sort", "confidence", "--chemistry"]
    done = fleet.run("results", "b", "--format", "jsonl", "--reviews", str(given), *sure)
    assert done.stderr.decode().splitlines() == ["4 reviews read", "2 of them of results written here"]
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["verdict"] for row in found] == ["corrected", None, "right"]
    assert "formula" in found[0]
    assert "tokens" not in found[0]
    resumed = ["results", "b", "--resume", "--output", str(tmp_path / "out"), "--reviews", str(given)]
    assert "--reviews" in fleet.worker(*resumed, exit_code=2)


def test_reviews_of_the_page_itself(fleet: Fleet, tmp_path: Path) -> None:
    """By its own address, as it answers."""
    write_sample(tmp_path / "state")
    (tmp_path / "tokens").write_text(f"anna {TOKEN}\n")
    settings = read_settings(
        state_dir=tmp_path / "state", fleet_database_url=fleet.url, token_file=tmp_path / "tokens"
    )
    client = create_app(settings, poll=False, clock=clock).test_client()
    asked = {"chunk": 1, "number": 2, "smiles": "C2", "verdict": "wrong"}
    proof = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/api/reviews", json={"reviews": [asked]}, headers=proof).status_code == 201
    with answering(lambda request: Answer(200, client.get(request.target).data)) as server:
        done = fleet.run("results", "b", "--format", "jsonl", "--reviews", f"{server.url}/api/reviews")
    verdicts = {row["image"]: row["verdict"] for row in map(json.loads, done.stdout.splitlines())}
    assert verdicts == {"d/0.png": None, "d/1.png": None, "d/2.png": "wrong", "d/3.png": None}


def read_all(source: str) -> list[Review]:
    return list(read_reviews(source))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\n" + LINES + "{}\n", ", line 7: image_hash"),
        ("<html>", ", line 1: no JSON"),
        (LINES[:-20], ", line 5: no JSON"),
        ("x" * (3 * LINE_MAX), "a line has more than 100,000 bytes"),
    ],
)
def test_a_file_that_is_no_reviews_is_refused_by_name_and_line(
    fleet: Fleet, tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "given"
    file.write_text(text)
    with pytest.raises(ReviewsRefused, match="given"):
        read_all(str(file))
    said = fleet.worker("results", "b", "--reviews", str(file), exit_code=1)
    assert str(file) in said
    assert told in said


@pytest.mark.parametrize("name", ["none/at/all", "with\0nul", "."])
def test_a_file_that_cannot_be_read_is_named(name: str) -> None:
    with pytest.raises(ReviewsRefused, match=r"cannot read "):
        read_all(name)


def test_an_address_that_does_not_give_reviews_is_named_without_its_password() -> None:
    with answering(lambda request: Answer(404, b"no\x1b[31m such page")) as server:
        address = server.url.replace("//", "//anna:hush-hush@") + "/api/reviews"
        with pytest.raises(ReviewsRefused, match=r"answered 404: no \[31m such page") as refused:
            read_all(address)
        assert server.got[0].headers["authorization"].startswith("Basic ")
    assert "hush" not in str(refused.value)
    with pytest.raises(ReviewsRefused, match="cannot read http") as refused:
        read_all(address)  # nobody answers any more
    assert "hush" not in str(refused.value)


def test_a_transfer_that_breaks_off_is_no_end() -> None:
    first = LINES.encode().splitlines(keepends=True)[0]

    def answer(send: Send, _: object) -> None:
        send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(first), first))

    with run_raw_server(answer) as url, pytest.raises(ReviewsRefused, match="cannot read http"):
        read_all(url)


def test_a_table_of_reviews_keeps_the_last_of_an_answer() -> None:
    table = ReviewTable()
    assert table.add_all(GIVEN) == 4
    assert table.add_all(GIVEN) == 4
    table.close()
