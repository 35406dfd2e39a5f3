"""/fleet/chunks: what became of each chunk of a batch, a page at a time."""

from __future__ import annotations

import re
from functools import partial
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.webapp.sample import clock, write_sample
from tests.worker.queue.helpers import add, claim, complete, queue_at
from webapp import create_app
from webapp.settings import read_settings
from webapp.views.fleet.reading import forget
from worker.queue import Queue, QueuePolicy, QueueTarget
from worker.queue.hold import hold_fleet
from worker.review.chunks import ATTEMPTS_SHOWN, read_chunks_page

NAME = "run/<b>1"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/queue.db"


@pytest.fixture
def queue(url: str) -> Queue:
    queue = queue_at(url, QueuePolicy(attempts=2, backoff_s=600))
    add(queue, NAME, 8, chunk_images=2)
    return queue


@pytest.fixture
def client(queue: Queue, url: str, tmp_path: Path) -> FlaskClient:
    write_sample(tmp_path / "state")
    settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
    forget()
    return create_app(settings, poll=False, clock=clock).test_client()


def lines_of(html: str) -> list[list[str]]:
    """Texts of the cells by row."""
    body = html.split("<tbody>")[1].split("</tbody>")[0]
    rows = (re.split(r"<t[dh]\b[^>]*>", row)[1:] for row in body.split("<tr")[1:])
    return [[unescape(" ".join(re.sub("<[^>]*>", " ", cell).split())) for cell in row] for row in rows]


def ask(client: FlaskClient, **more: object) -> str:
    answer = client.get("/fleet/chunks", query_string={"batch": NAME, **more})
    assert answer.status_code == 200
    return answer.text


def test_each_chunk_with_its_claims(queue: Queue, client: FlaskClient) -> None:
    complete(queue, claim(queue))
    queue.fail(claim(queue, host=HOSTILE), f"StorageError: {HOSTILE}")
    claim(queue, worker="w9")
    html = ask(client)
    assert "<img" not in html
    done, failed, active, pending = lines_of(html)
    assert (done[1], done[2]) == ("done", "2 of 2")
    assert re.fullmatch(r"\d\d \w{3} [\d:]{8} w1 on vm1: done after under 1 min", done[4])
    assert (failed[1], failed[2]) == ("pending", "0 of 2")
    assert re.match(r"tried again at .*; StorageError: <img", failed[3])
    assert failed[4].endswith(f"w1 on {HOSTILE}: failed after under 1 min: StorageError: {HOSTILE}")
    assert (active[1], active[4].endswith("w9 on vm1: at work")) == ("active", True)
    assert pending[1:] == ["pending", "0 of 2", "", ""]


def test_what_holds_a_chunk_is_told(queue: Queue, client: FlaskClient) -> None:
    queue.pause(QueueTarget(NAME))
    queue.database.write(partial(hold_fleet, reason="maintenance"))
    assert all(
        "the whole fleet is held: " in line[3] and "maintenance" in line[3] and line[3].endswith("; paused")
        for line in lines_of(ask(client))
    )


def test_a_chunk_claimed_over_and_over_shows_the_last_claims(queue: Queue, url: str) -> None:
    for number in range(ATTEMPTS_SHOWN + 3):
        queue.release(claim(queue, worker=f"w{number}"), "leaves", None)
    page = read_chunks_page(url, NAME, "", 0, 1)
    assert page is not None
    [chunk] = page.chunks
    assert chunk.claims == ATTEMPTS_SHOWN + 3
    shown = [attempt.worker for attempt in chunk.attempts]
    assert shown == [f"w{number}" for number in range(ATTEMPTS_SHOWN + 2, 2, -1)]


def test_page_by_page_and_by_state(queue: Queue, client: FlaskClient, url: str) -> None:
    add(queue, NAME, 0)
    queue.add_directories(
        queue.add_batch(NAME, "/data"), [("e", [f"{number}.png" for number in range(60)])], 1
    )
    first = ask(client)
    following = re.search(r'<a href="([^"]*)" rel="next">', first)
    assert following
    rest = client.get("/fleet/chunks" + unescape(following[1])).text
    names = [line[0] for line in lines_of(first) + lines_of(rest)]
    assert (len(names), len(set(names)), 'rel="next"' in rest) == (64, 64, False)
    complete(queue, claim(queue))
    assert [line[1] for line in lines_of(ask(client, state="done"))] == ["done"]
    assert "There is no such chunk." in ask(client, state="failed")


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("batch=none", 404), ("batch=run&state=x", 400), ("batch=run&after=-1", 400),
     ("batch=run&after=99999999999", 400), ("batch=run&after=%C2%B2", 400)],
)  # fmt: skip
def test_what_no_link_asks_for_is_refused(client: FlaskClient, query: str, status: int) -> None:
    assert client.get(f"/fleet/chunks?{query}").status_code == status


def test_the_batchs_page_leads_to_them(client: FlaskClient) -> None:
    html = client.get(f"/fleet/batches/{NAME}").text
    [link] = {unescape(link) for link in re.findall(r'href="(/fleet/chunks[^"]*)"', html)}
    assert len(lines_of(client.get(link).text)) == 4
