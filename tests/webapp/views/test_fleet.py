"""/fleet with a real queue database behind it: its figures, its trouble, and a database that is not there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, update

from tests.services.postgres import Postgres
from tests.webapp.sample import clock, write_sample
from tests.worker.queue.helpers import add, claim, complete, queue_at
from webapp import create_app
from webapp.settings import read_settings
from webapp.views.fleet.reading import forget
from worker.queue import HostReport, Result
from worker.queue.hold import hold_fleet
from worker.queue.schema import batches, chunks

Fleet = Callable[[str], FlaskClient]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    def open_fleet(url: str) -> FlaskClient:
        write_sample(tmp_path / "state")
        settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
        return create_app(settings, poll=False, clock=clock).test_client()

    return open_fleet


def rows_of(html: str, caption: str) -> dict[str, dict[str, str]]:
    """Texts of a table's cells by row and column."""
    table = html.split(f"{caption}</caption>")[1].split("</table>")[0]
    head, body = table.split("<tbody>")
    labels = re.findall(r'<th scope="col"[^>]*>([^<\n]*)', head)[1:]
    rows = (re.split(r"<t[dh]\b[^>]*>", row)[1:] for row in body.split("<tr")[1:])
    return {
        name: dict(zip(labels, cells, strict=True)) for name, *cells in (map(text_of, row) for row in rows)
    }


def text_of(html: str) -> str:
    """Without its marks of health."""
    unmarked = re.sub(r'<span data-c class="mark[^<]*</span>', "", html)
    return " ".join(re.sub("<[^>]*>", " ", unmarked).split())


def test_a_role_that_may_only_look_is_enough(fleet: Fleet, postgres: Postgres) -> None:
    """What SECURITY.md says of the page's role: SELECT, and nothing else."""
    url = postgres.create_database()
    queue = queue_at(url)
    add(queue, "looked-at", 6, chunk_images=2)
    complete(queue, claim(queue))
    name = url.rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (
            f"CREATE ROLE look_{name} LOGIN",
            f"GRANT USAGE ON SCHEMA public TO look_{name}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO look_{name}",
        ):
            connection.execute(statement.encode())
    looker = url.replace("postgres@", f"look_{name}@")
    with psycopg.connect(looker) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("UPDATE chunks SET state = state")
    client = fleet(looker)
    assert "cannot be read" not in client.get("/fleet").text
    assert "looked-at" in rows_of(client.get("/fleet").text, "Batches")
    assert client.get("/api/machines").status_code == 200


def test_the_queues_figures_are_on_the_page(fleet: Fleet, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    add(queue, "run-<b>1", 10, chunk_images=2, priority=3, deadline=time.time() + 7300)
    complete(queue, claim(queue))
    claim(queue)
    queue.fail(claim(queue), "StorageError: <script>")
    add(queue, "late", 2, deadline=time.time() + 100, model="decimer-3")
    past = time.time() - 60
    for late in (
        update(chunks).where(chunks.c.batch_id == 2).values(due=past),
        update(batches).where(batches.c.id == 2).values(deadline=past),
    ):
        queue.database.write(partial(Connection.execute, statement=late))
    html = fleet(url).get("/fleet").text
    found = rows_of(html, "Batches by chunks")
    labels = ("Priority", "Chunks", "Given up", "Met", "Missed", "Only for model")
    shown = {name: [row[label] for label in labels] for name, row in found.items()}
    assert shown == {
        "late": ["2", "1", "0", "0", "1", "decimer-3"],
        "run-&lt;b&gt;1": ["3", "5", "0", "1", "0", ""],
    }
    found = rows_of(html, "Batches")
    labels = ("Read", "Pictures", "Failed", "Unsure", "In time", "Pace")
    shown = {name: [row[label] for label in labels] for name, row in found.items()}
    assert shown == {
        "late": ["0 %", "0 of 2", "0", "0", "0 of 1", "–"],
        "run-&lt;b&gt;1": ["20 %", "2 of 10", "0", "2", "1 of 1", "–"],
    }
    assert "Nothing was read in the last minute." in html
    assert "late" in attention_of(html)
    assert rows_of(html, "Queue")["Next deadline in"]["Now"] == "2 h 1 min"
    assert rows_of(html, "Active chunks")["run-&lt;b&gt;1/d#1"]["Number"] == "2"
    for text in ("Chunks pending", "Images a second", "run-&lt;b&gt;1", "Active chunks"):
        assert text in html
    assert "<script>" not in html.split("<main")[1]


def attention_of(html: str) -> str:
    return text_of(html.split('<div class="attention">')[1].split("</ul>")[0])


def test_the_reasons_sum_to_all_failed_pictures(fleet: Fleet, tmp_path: Path) -> None:
    """Also those without a result, whose chunk was given up."""
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    add(queue, "run", 8, chunk_images=4)
    held = claim(queue)
    errors = ("TruncatedImage: ends at byte 7", "BlankImage: grey", "TruncatedImage: ends at byte 9")
    queue.store(held, [Result(number, None, error=error) for number, error in enumerate(errors)])
    given_up = update(chunks).where(chunks.c.id == held.chunk).values(state="failed")
    queue.database.write(partial(Connection.execute, statement=given_up))
    html = fleet(url).get("/fleet").text
    reasons = html.split('<ul class="reasons">')[1].split("</ul>")[0].split("<li>")[1:]
    assert [text_of(reason) for reason in reasons] == [
        "TruncatedImage 2", "BlankImage 1", "given up with their chunk 1",
    ]  # fmt: skip
    assert rows_of(html, "Batches")["run"]["Failed"] == "4"
    assert "0 of 1 batch read. Nothing was read in the last minute. 4 pictures failed." in text_of(html)
    assert attention_of(html) == "run 1 chunk given up"


def test_a_fleet_that_is_held_says_so_first(fleet: Fleet, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    add(queue, "run", 4)
    queue.database.write(partial(hold_fleet, reason="<b>maintenance"))
    html = fleet(url).get("/fleet").text
    assert "0 of 1 batch read. The whole fleet is held." in text_of(html)
    assert "(&lt;b&gt;maintenance)" in attention_of(html)


def test_a_page_on_which_nothing_happens_is_not_sent_again(fleet: Fleet, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    add(queue, "run", 4, chunk_images=2, deadline=time.time() + 7300)
    complete(queue, claim(queue))
    client = fleet(url)
    first = client.get("/fleet?part=cells")
    known = {"If-None-Match": first.headers["ETag"]}
    forget()
    assert client.get("/fleet?part=cells", headers=known).status_code == 304
    complete(queue, claim(queue))
    forget()
    assert client.get("/fleet?part=cells", headers=known).status_code == 200


def test_machines_of_another_version_are_marked(fleet: Fleet, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    for name, version in (("new-1", "0.2.0"), ("new-2", "0.2.0")):
        queue.report_host(HostReport(name, "local", 1, 0, 50, 20, 0, version=version))
    client = fleet(url)
    html = client.get("/fleet").text
    assert rows_of(html, "Machines")["new-1"]["Version"] == "0.2.0"
    assert "Versions differ" not in html
    queue.report_host(HostReport("old", "local", 1, 0, 50, 20, 0))
    queue.report_host(HostReport("odd", "local", 1, 0, 50, 20, 0, version="0.1.0<b>"))
    forget()
    html = client.get("/fleet").text
    assert {name: row["Version"] for name, row in rows_of(html, "Machines").items()} == {
        "new-1": "0.2.0",
        "new-2": "0.2.0",
        "odd": "0.1.0&lt;b&gt;",
        "old": "an earlier one",
    }
    assert "Versions differ: 2 on 0.2.0, 1 on 0.1.0&lt;b&gt;, 1 on an earlier one" in html
    cells = re.findall(r'<td class=(\w+) title="others run 0.2.0">([^<]*)', html)
    assert cells == [("w", "0.1.0&lt;b&gt;"), ("w", "an earlier one")]


def test_the_latest_results_are_shown_whatever_they_are_called(fleet: Fleet, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    hostile = "<img src=x onerror=alert(1)>"
    queue.add_directories(queue.add_batch("run", "/data"), [(hostile, ["a.png", "b.png"])], 2)
    claimed = claim(queue)
    queue.store(
        claimed,
        [
            Result(0, f"C{hostile}", ("C", "O"), (0.5, 0.25)),
            Result(1, None, error=f"TruncatedImage: {hostile}"),
        ],
    )
    html = fleet(url).get("/fleet").text
    table = html.split("Latest results</caption>")[1].split("</table>")[0]
    for text in ("C&lt;img", "37.5", "25", "TruncatedImage: &lt;img", "/a.png", "vm1"):
        assert text in table
    assert "<img" not in html


def test_a_queue_that_cannot_be_read_is_told_and_graphites_figures_stay(fleet: Fleet, tmp_path: Path) -> None:
    answer = fleet(f"sqlite:///{tmp_path}/absent.db").get("/fleet")
    assert answer.status_code == 200
    assert "its figures cannot be read" in answer.text
    assert "worker-1" in answer.text
    pace = {name: row["Now"] for name, row in rows_of(answer.text, "Pace of belle").items()}
    assert pace == {
        "Images a second": "2.5", "Next deadline in": "3 h 5 min",
        "Deadlines met": "110", "Deadlines missed": "3", "Deadlines open": "14",
    }  # fmt: skip
    assert rows_of(answer.text, "Failed images of belle") == {"TruncatedImage": {"Images": "7"}}
    assert not (tmp_path / "absent.db").exists()
