"""/api/results/export by the filters of a batch's page: its pages joined, and what `results` writes by the
same filters; the file's name says what was chosen.
"""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from tests.webapp.sample import clock, write_sample
from tests.worker.queue.helpers import claim
from tests.worker.test_commands import Fleet
from webapp import create_app
from webapp.settings import read_settings
from worker.answers.notes import Note
from worker.queue import Result, Usage
from worker.queue.maintenance import EXPORTED
from worker.queue.schema import events

TOKEN = "anna-s-token-0123456789"
PROOF = {"Authorization": f"Bearer {TOKEN}"}
COUNT = 130
REVIEWED = {number: ("right", "wrong")[number % 2] for number in range(10, 80, 7) if number % 13}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    fleet = Fleet(tmp_path, f"sqlite:///{tmp_path}/queue.db")
    queue = fleet.queue()
    names = [f"{number:03}.png" for number in range(COUNT)]
    batch = queue.add_batch("run", "/data")
    queue.add_directories(batch, [("Aa", names[:70]), ("", names[70:])], 40)
    while held := queue.claim("w", "h", "stub", "stub"):
        made = [result_of(int(image.name[-7:-4]), image.number) for image in held.images]
        queue.finish(queue.store(held, made), Usage())
    queue.add_directories(queue.add_batch("other", "/data"), [("Aa", ["000.png"])], 1)
    held = claim(queue)
    queue.store(held, [result_of(1, 0)])
    queue.close()
    return fleet


def result_of(name: int, number: int) -> Result:
    digest = f"{name:064x}"
    if name % 13 == 0:
        return Result(number, None, error=f"{'Blank' if name % 2 else 'Empty'}Image: grey", sha256=digest)
    notes = (Note("unparsable", "<i>"),) if name % 4 == 0 else ()
    smiles = "CC" + "O" * (name % 3)
    return Result(number, smiles, ("C", "O"), (1.0, name % 20 / 20), notes=notes, sha256=digest)


@pytest.fixture
def client(fleet: Fleet, tmp_path: Path) -> FlaskClient:
    write_sample(tmp_path / "state")
    (tmp_path / "tokens").write_text(f"anna {TOKEN}\n")
    settings = read_settings(
        state_dir=tmp_path / "state", fleet_database_url=fleet.url, token_file=tmp_path / "tokens"
    )
    client = create_app(settings, poll=False, clock=clock).test_client()
    shown = client.get("/api/results?batch=run&limit=1000").json["results"]
    said = [
        {"chunk": row["chunk"], "number": row["number"], "smiles": row["smiles"], "verdict": REVIEWED[name]}
        for row in shown
        if (name := int(row["image"][-7:-4])) in REVIEWED
    ]
    assert client.post("/api/reviews", json={"reviews": said}, headers=PROOF).status_code == 201
    return client


QUERIES = {
    "show=answers": "run_show_answers",
    "below=0.45": "run_below_0.45",
    "show=noted&folder=Aa": "run_show_noted_folder_Aa",
    "note=unparsable&text=cco": "run_note_unparsable_text_cco",
    "show=failed": "run_show_failed",
    "show=failed&error=EmptyImage": "run_show_failed_error_EmptyImage",
    "folder=.&below=0.3": "run_below_0.3_folder_.",
    "review=reviewed": "run_review_reviewed",
    "review=wrong&below=0.7": "run_below_0.7_review_wrong",
    "review=unreviewed&text=CCO": "run_review_unreviewed_text_CCO",
    "text=/no<w>%": "run_text__no_w_",
    "show=truncated": "run_show_truncated",
}


def images_of_pages(client: FlaskClient, query: str) -> list[str]:
    """As the gallery shows them, from its first page on by the links to the next."""
    address, found = f"/fleet/batches/run?{query}", []
    while address:
        html = client.get(address).text
        found += [unescape(name) for name in re.findall(r'<p class="result-head">.*?<bdi>(.*?)</bdi>', html)]
        following = re.search(r'<a href="(\?[^"]*)" rel="next">', html)
        address = f"/fleet/batches/run{unescape(following[1])}" if following else ""
    return found


def test_an_export_by_filters_is_the_gallerys_pages_joined(
    client: FlaskClient, fleet: Fleet, tmp_path: Path
) -> None:
    reviews = tmp_path / "reviews.jsonl"
    reviews.write_bytes(client.get("/api/reviews", headers=PROOF).data)
    counts = {}
    for query, name in QUERIES.items():
        answer = client.get(f"/api/results/export?batch=run&format=jsonl&{query}")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.jsonl"'
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert [row["image"] for row in rows] == images_of_pages(client, query), query
        listed = client.get(f"/api/results?batch=run&limit=1000&{query}").json["results"]
        assert [[row[key] for key in listed[0] if key in row] for row in rows] == [
            [row[key] for key in listed[0] if key in rows[0]] for row in listed
        ], query
        options = [word for pair in query.split("&") for word in f"--{pair}".split("=")]
        if "review" in query:
            options += ["--reviews", str(reviews)]
        written = tmp_path / f"{name}.jsonl"
        fleet.worker("results", "run", "--format", "jsonl", "--output", str(written), *options)
        of_command = [json.loads(line) for line in written.read_text().splitlines()]
        assert [{key: row[key] for key in rows[0]} for row in of_command] == rows, query
        counts[query] = len(rows)
    assert counts["show=answers"] == COUNT - 10
    assert counts["review=reviewed"] == len(REVIEWED)
    assert [query for query, count in counts.items() if count == 0] == ["text=/no<w>%", "show=truncated"]


def test_without_filters_it_is_all_as_before(client: FlaskClient, fleet: Fleet) -> None:
    rows = client.get("/api/results/export?batch=run&format=jsonl&show=&text=").text.splitlines()
    assert len(rows) == COUNT
    assert rows == fleet.run("results", "run", "--format", "jsonl").stdout.decode().splitlines()


def test_the_other_forms_choose_as_well(client: FlaskClient) -> None:
    for query in ("below=0.3", "review=right"):
        images = images_of_pages(client, query)
        table = client.get(f"/api/results/export?batch=run&{query}").text.splitlines()
        assert [line.split(",")[2] for line in table[1:]] == images
        sdf = client.get(f"/api/results/export?batch=run&format=sdf&{query}").data
        assert [record.splitlines()[0] for record in sdf.decode().split("$$$$\n")[:-1]] == images


def test_a_filtered_gallery_leads_to_what_it_shows(client: FlaskClient) -> None:
    html = client.get("/fleet/batches/run?below=0.3&text=cco").text
    links = [unescape(link) for link in re.findall(r'href="(/api/results/export\?[^"]*)" download', html)]
    whole, chosen = links[: len(links) // 2], links[len(links) // 2 :]
    assert whole[:2] == [
        "/api/results/export?batch=run&format=csv",
        "/api/results/export?batch=run&format=jsonl",
    ]
    assert chosen[:2] == [f"{link}&below=0.3&text=cco" for link in whole[:2]]
    rows = [json.loads(line) for line in client.get(chosen[1]).text.splitlines()]
    assert [row["image"] for row in rows] == images_of_pages(client, "below=0.3&text=cco") != []
    assert client.get("/fleet/batches/run").text.count("/api/results/export?") == len(whole)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("below=0.3", "batch must name"),
        ("batch=run&show=x", "show must be"),
        ("batch=run&below=7", "below must"),
    ],
)
def test_filters_that_choose_nothing_are_refused(client: FlaskClient, query: str, told: str) -> None:
    answer = client.get(f"/api/results/export?{query}")
    assert (answer.status_code, told in answer.text) == (400, True)


def test_a_batch_that_is_not_there_has_nothing_to_choose(client: FlaskClient, fleet: Fleet) -> None:
    assert client.get("/api/results/export?batch=none&below=0.3").status_code == 404
    refused = fleet.run("results", "none", "--below", "0.3")
    assert (refused.returncode, b"there is no batch none" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--below", "0.3"], "filters are of one BATCH"),
        (["run", "--below", "0.3", "--doubtful"], "give one of them"),
        (["run", "--review", "right"], "--review needs --reviews"),
        (["run", "--error", "BlankImage"], "--error needs --show failed"),
        (["run", "--text", "C", "--resume", "--output", "x"], "--resume goes on with all results"),
    ],
)
def test_the_command_says_what_does_not_go_together(fleet: Fleet, options: list[str], told: str) -> None:
    assert told in fleet.worker("results", *options, exit_code=2)


def test_what_the_command_filters_is_not_noted_as_exported(fleet: Fleet) -> None:
    filtered = fleet.run("results", "run", "--show", "failed", "--min-confidence", "0.5")
    assert filtered.returncode == 0
    doubtful = fleet.run("results", "run", "--doubtful", "--text", "CCO", "--format", "jsonl").stdout
    least = [json.loads(line)["least_confidence"] for line in doubtful.splitlines()]
    assert least == sorted(least)
    assert least[-1] < 0.6
    assert exports(fleet) == 0
    assert fleet.run("results", "run").returncode == 0
    assert exports(fleet) == 1


def exports(fleet: Fleet) -> int:
    queue = fleet.queue()
    query = select(func.count()).where(events.c.kind == EXPORTED)
    count = queue.database.read(lambda connection: connection.execute(query).scalar_one())
    queue.close()
    return count
