"""/fleet/batches/<name>: a batch and its results by what the address asks for, whatever they are called."""

from __future__ import annotations

import re
from functools import partial
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, update

from tests.webapp.sample import clock, write_sample
from tests.worker.queue.helpers import claim
from webapp import create_app
from webapp.settings import read_settings
from worker.answers.notes import Note
from worker.queue import Result, open_queue
from worker.queue.schema import chunks

HOSTILE = "<img src=x onerror=alert(1)>"
NAME = "a/b <i>?"
ADDRESS = "/fleet/batches/a/b%20%3Ci%3E%3F"
IMAGES = 130


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = open_queue(url)
    names = [f"{number:03}.png" for number in range(IMAGES)]
    queue.add_directories(queue.add_batch(NAME, "/data"), [(HOSTILE, names)], IMAGES)
    held = claim(queue)
    note = (Note("r_labels", HOSTILE),)
    queue.store(
        held,
        [
            Result(number, None, error=f"BlankImage: {HOSTILE}")
            if number < 2
            else Result(number, f"C{HOSTILE}", ("C", "O"), (1.0, number / IMAGES), notes=note)
            for number in range(IMAGES)
        ],
    )
    queue.close()
    write_sample(tmp_path / "state")
    settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
    return create_app(settings, poll=False, clock=clock).test_client()


def pictures(html: str) -> list[int]:
    return [int(number) for number in re.findall(r"/(\d+)\.png</bdi></a>", html)]


def test_all_results_page_by_page(client: FlaskClient) -> None:
    address, shown = ADDRESS, []
    for _ in range(3):
        html = client.get(address).text
        shown += pictures(html)
        assert "<img" not in html
        assert "<i>" not in html
        following = re.search(r'<a href="([^"]*)" rel="next">', html)
        address = ADDRESS + unescape(following[1]) if following else ""
    assert shown == [*range(2, IMAGES)]
    assert address == ""


def test_the_address_chooses(client: FlaskClient) -> None:
    assert pictures(client.get(f"{ADDRESS}?show=failed").text) == [0, 1]
    assert pictures(client.get(f"{ADDRESS}?below=0.03&note=r_labels&text=").text) == [2, 3]
    assert pictures(client.get(f"{ADDRESS}?text=007.PNG").text) == [7]
    assert "No result is as asked for." in client.get(f"{ADDRESS}?text=%00%25").text
    first = client.get(f"{ADDRESS}?below=0.9&show=noted").text
    assert 'href="?show=noted&amp;below=0.9&amp;after=' in first


def test_the_address_chooses_a_folder_of_those_there_are(client: FlaskClient) -> None:
    page = client.get(f"{ADDRESS}?folder=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&below=0.03").text
    assert pictures(page) == [2, 3]
    assert '<option value="&lt;img src=x onerror=alert(1)&gt;" selected>' in page
    none = client.get(f"{ADDRESS}?folder=.").text
    assert (pictures(none), '<option value="." selected>.</option>' in none) == ([], True)
    assert client.get(f"{ADDRESS}?folder={'x' * 5000}").status_code == 400


@pytest.mark.parametrize(
    "query",
    ["show=x", "below=7", "below=nan", "note=x", "after=1", "after=nan,1,2", "after=1,99999999999,2"],
)
def test_what_no_link_asks_for_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"{ADDRESS}?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.text


def test_the_fleets_page_leads_to_the_batch(client: FlaskClient) -> None:
    html = client.get("/fleet").text
    links = [unescape(link) for link in re.findall(r'href="(/fleet/batches/[^"]*)"', html)]
    assert [client.get(link).status_code for link in links] == [200, 200, 200]
    assert pictures(client.get(links[1]).text) == [0, 1]
    assert pictures(client.get(links[2]).text)[:2] == [2, 3]


def test_pictures_given_up_with_their_chunk_are_told_beside_those_that_failed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = open_queue(url)
    queue.add_directories(queue.add_batch("run", "/data"), [("d", ["0.png", "1.png", "2.png"])], 3)
    held = claim(queue)
    queue.store(held, [Result(0, None, error="BlankImage: grey")])
    given_up = update(chunks).where(chunks.c.id == held.chunk).values(state="failed")
    queue.database.write(partial(Connection.execute, statement=given_up))
    queue.close()
    write_sample(tmp_path / "state")
    settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
    client = create_app(settings, poll=False, clock=clock).test_client()
    told = "2 failed pictures have no result: they were given up with their chunk."
    html = client.get("/fleet/batches/run?show=failed").text
    assert (pictures(html), told in html) == ([0], True)
    assert told not in client.get("/fleet/batches/run").text


def test_a_batch_that_is_not_there(client: FlaskClient) -> None:
    assert client.get("/fleet/batches/none").status_code == 404


def test_a_page_on_which_nothing_happens_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get(f"{ADDRESS}?part=cells")
    known = {"If-None-Match": first.headers["ETag"]}
    assert client.get(f"{ADDRESS}?part=cells", headers=known).status_code == 304


def test_without_a_queue_there_are_no_batches(tmp_path: Path) -> None:
    write_sample(tmp_path / "none")
    app = create_app(read_settings(state_dir=tmp_path / "none"), poll=False, clock=clock)
    answer = app.test_client().get("/fleet/batches/run")
    assert (answer.status_code, "WEBAPP_FLEET_DATABASE_URL" in answer.text) == (404, True)
