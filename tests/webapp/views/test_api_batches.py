"""`/api/batches` over a real queue: who may ask for what, once, and the role that may do no more."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from tests.services.postgres import Postgres
from tests.webapp.sample import clock, write_sample
from tests.webapp.views.test_api_machines import documented_grants
from tests.worker.queue.helpers import add, queue_at
from tests.worker.queue.test_batch_wishes import change, told
from webapp import create_app
from webapp.settings import read_settings
from webapp.views.batches import reading
from webapp.views.fleet.reading import forget
from worker.queue.batch_wishes.work import report_sources
from worker.queue.statistics.batch_wishes import read_asked
from worker.settings import read_settings as read_worker_settings
from worker.submission.carry_out import Submitter

TOKEN = "ann-s-token-to-change"
OTHER = "bob-s-token-to-change"
PROOF = {"Authorization": f"Bearer {TOKEN}"}
NEW = {"name": "new", "source": "/data/new"}
HOSTILE = "<img src=x onerror=alert(1)>"
Open = Callable[..., FlaskClient]


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    queue = queue_at(url)
    add(queue, "there", images=4)
    queue.close()
    return url


@pytest.fixture
def open_client(tmp_path: Path) -> Open:
    def make(**given: Any) -> FlaskClient:
        reading.forget()
        forget()
        write_sample(tmp_path / "state")
        (tmp_path / "tokens").write_text(f"ann {TOKEN}\nbob {OTHER}\n")
        settings = read_settings(state_dir=tmp_path / "state", token_file=tmp_path / "tokens", **given)
        return create_app(settings, poll=False, clock=clock).test_client()

    return make


@pytest.fixture
def client(open_client: Open, url: str) -> FlaskClient:
    return open_client(fleet_database_url=url, wishes_database_url=url)


def wishes_of(url: str) -> list[tuple[str, str, str, dict[str, Any]]]:
    found = read_asked(url)
    assert found is not None
    return [(one.kind, one.batch, one.asked_by, dict(one.details)) for one in reversed(found.wishes)]


def message(answer: Any) -> str:
    assert answer.json is not None, answer.text
    return str(answer.json["error"]["message"])


def test_what_is_asked_is_a_wish_with_its_asker_and_an_audit(
    client: FlaskClient, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cloud_monitor.audit")
    body = NEW | {"priority": 3, "deadline": 14400}
    made = client.post("/api/batches", json=body, headers=PROOF)
    assert made.status_code == 202, made.text
    wish = made.json["wish"]  # type: ignore[index]
    assert (wish["id"], wish["asked_by"], wish["is_open"]) == (1, "ann", True)
    assert wish["state"] == "waits: no supervisor that carries out wishes is running"
    for act, body in (
        ("pause", {}), ("resume", {}), ("retry", {}), ("retry", {"failed_images": True}),
        ("deadline", {"deadline": "2126-11-23T08:00Z"}), ("deadline", {"deadline": None}), ("cancel", {}),
    ):  # fmt: skip
        answer = client.post(f"/api/batches/there/{act}", json=body, headers=PROOF)
        assert answer.status_code == 202, (act, answer.text)
    assert wishes_of(url) == [
        ("submit", "new", "ann", {"source": "/data/new", "priority": 3, "deadline": 14400}),
        ("pause", "there", "ann", {}),
        ("resume", "there", "ann", {}),
        ("retry", "there", "ann", {}),
        ("retry", "there", "ann", {"failed_images": True}),
        ("deadline", "there", "ann", {"deadline": "2126-11-23T08:00Z"}),
        ("deadline", "there", "ann", {"deadline": None}),
        ("cancel", "there", "ann", {}),
    ]
    audited = [record.message for record in caplog.records]
    assert audited[1] == "ann (by token, from 127.0.0.1) asked for pause there {} (wish 2)"
    queue = queue_at(url)
    change(queue)
    assert (
        "batch_wish",
        "ann asks: submit new (source /data/new, priority 3, deadline 14400) (wish 1)",
    ) in told(queue)
    queue.close()
    done = client.get("/api/batch-wishes/2").json["wish"]  # type: ignore[index]
    assert (done["state"], done["is_open"], done["is_refused"]) == ("paused 2 chunks", False, False)
    assert client.get("/api/batch-wishes/99").status_code == 404
    assert client.get(f"/api/batch-wishes/{10**30}").status_code == 404


def test_batches_and_wishes_are_listed(client: FlaskClient) -> None:
    client.post("/api/batches", json=NEW | {"source": f"/data/{HOSTILE}"}, headers=PROOF)
    answer = client.get("/api/batches")
    assert "<" not in answer.text, "not even a careless reader runs a path"
    found = answer.json
    assert found is not None
    assert [(one["name"], one["images"]["pending"], one["is_paused"]) for one in found["batches"]] == [
        ("there", 4, False)
    ]
    assert found["wishes"][0]["details"] == {"source": f"/data/{HOSTILE}"}


def test_each_refusal_has_its_status_and_writes_nothing(client: FlaskClient, url: str) -> None:
    for path, status, given in (
        ("", 401, {"json": NEW}),
        ("", 401, {"json": NEW, "headers": {"Authorization": "Bearer wrong-token-wrong"}}),
        ("", 403, {"json": NEW, "headers": {**PROOF, "Sec-Fetch-Site": "cross-site"}}),
        ("/there/cancel", 403, {"json": {}, "headers": {**PROOF, "Origin": "https://evil.example"}}),
        ("/there/cancel", 401, {"json": {}}),
        ("/there/cancel", 415, {"data": "", "headers": PROOF}),
        ("/there/cancel", 400, {"json": {"now": True}, "headers": PROOF}),
        ("/nobody/pause", 404, {"json": {}, "headers": PROOF}),
        ("/new/cancel", 404, {"json": {}, "headers": PROOF}),
        (f"/{HOSTILE}/pause", 404, {"json": {}, "headers": PROOF}),
        ("/a%00b/pause", 400, {"json": {}, "headers": PROOF}),
        ("/there/deadline", 400, {"json": {}, "headers": PROOF}),
        ("/there/deadline", 400, {"json": {"deadline": "2020-01-01"}, "headers": PROOF}),
        ("/there/deadline", 400, {"json": {"deadline": True}, "headers": PROOF}),
        ("/there/retry", 400, {"json": {"failed_images": 1}, "headers": PROOF}),
        ("", 415, {"data": {"name": "new"}, "headers": PROOF}),
        ("", 400, {"json": {"name": "new"}, "headers": PROOF}),
        ("", 400, {"json": NEW | {"colour": "red"}, "headers": PROOF}),
        ("", 400, {"json": NEW | {"name": "../etc"}, "headers": PROOF}),
        ("", 400, {"json": NEW | {"name": HOSTILE}, "headers": PROOF}),
        ("", 400, {"json": NEW | {"source": "/data\u202egnp"}, "headers": PROOF}),
        ("", 400, {"json": NEW | {"source": "/\ud800"}, "headers": PROOF}),
        ("", 400, {"json": NEW | {"priority": 0}, "headers": PROOF}),
        ("", 400, {"json": NEW | {"priority": 2.5}, "headers": PROOF}),
        ("", 400, {"json": NEW | {"deadline": -5}, "headers": PROOF}),
        ("", 400, {"data": '{"name": "new", "source": "/d", "deadline": NaN}',
                   "content_type": "application/json", "headers": PROOF}),
        ("", 400, {"json": NEW, "headers": PROOF | {"Idempotency-Key": "k" * 201}}),
        ("", 409, {"json": NEW | {"name": "there"}, "headers": PROOF}),
    ):  # fmt: skip
        answer = client.post(f"/api/batches{path}", **given)  # type: ignore[arg-type]
        assert answer.status_code == status, (path, given, answer.text)
        assert message(answer)
    assert wishes_of(url) == []


def test_a_name_that_is_taken_is_refused_with_how_it_stands(client: FlaskClient) -> None:
    refused = client.post("/api/batches", json=NEW | {"name": "there"}, headers=PROOF)
    assert message(refused) == "there is a batch there already: 4 pictures, 0 read, from /data"
    client.post("/api/batches", json=NEW, headers=PROOF)
    refused = client.post("/api/batches", json=NEW, headers=PROOF)
    assert refused.status_code == 409
    assert message(refused).startswith("new was submitted already: asked for by ann (wish 1), waits: no")
    paused = client.post("/api/batches/new/pause", json={}, headers=PROOF)
    assert (paused.status_code, message(paused)) == (404, "there is no batch 'new', its submission waits")
    assert client.post("/api/batches/new/cancel", json={}, headers=PROOF).status_code == 202


def test_a_request_that_is_sent_again_with_its_key_does_nothing_twice(client: FlaskClient, url: str) -> None:
    keyed = PROOF | {"Idempotency-Key": "k1"}
    first = client.post("/api/batches", json=NEW, headers=keyed)
    again = client.post("/api/batches", json=NEW, headers=keyed)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json["wish"]["id"] == again.json["wish"]["id"]  # type: ignore[index]
    other = client.post("/api/batches", json=NEW | {"priority": 1}, headers=keyed)
    assert (other.status_code, "key was of submit new" in message(other).replace("Idempotency-K", "k")) == (
        422,
        True,
    )
    bob = {"Authorization": f"Bearer {OTHER}", "Idempotency-Key": "k1"}
    assert client.post("/api/batches/there/pause", json={}, headers=bob).status_code == 202, "of another"
    assert len(wishes_of(url)) == 2


def test_one_key_at_the_same_time_asks_once(client: FlaskClient, url: str) -> None:
    keyed = PROOF | {"Idempotency-Key": "k1"}
    together = threading.Barrier(4)

    def ask(_: int) -> int:
        together.wait()
        made = client.application.test_client().post("/api/batches/there/pause", json={}, headers=keyed)
        return made.status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(ask, range(4))) == [200, 200, 200, 202]
    assert len(wishes_of(url)) == 1


def test_sources_are_told_only_to_whom_is_known(client: FlaskClient, url: str) -> None:
    queue = queue_at(url)
    queue.database.write(partial(report_sources, host="vm1", prefixes=["/secret-place", "azure://scans"]))
    queue.database.write(partial(report_sources, host="vm2", prefixes=["/secret-place"]))
    queue.close()
    assert client.get("/api/submit-sources").status_code == 401
    assert "secret-place" not in client.get("/fleet").text + client.get("/api/batches").text
    found = client.get("/api/submit-sources", headers=PROOF).json
    assert found == {"sources": ["/secret-place", "azure://scans"], "supervisors": 2}


def test_too_many_that_wait_are_refused(client: FlaskClient, url: str) -> None:
    assert client.post("/api/batches", json=NEW | {"name": "first"}, headers=PROOF).status_code == 202
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as queue, queue:
        alike = "SELECT kind, ? || batch, details, asked_by, asked_at FROM batch_wishes WHERE batch = 'first'"
        queue.executemany(
            f"INSERT INTO batch_wishes (kind, batch, details, asked_by, asked_at) {alike}",
            [(str(number),) for number in range(98)],
        )
    assert client.post("/api/batches", json=NEW | {"name": "last"}, headers=PROOF).status_code == 202
    refused = client.post("/api/batches", json=NEW, headers=PROOF)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert len(wishes_of(url)) == 100


def test_without_the_databases_the_remedy_is_named(open_client: Open, url: str) -> None:
    read_only = open_client(fleet_database_url=url)
    assert read_only.get("/api/batches").status_code == 200
    assert "Submit pictures" not in read_only.get("/fleet").text
    refused = read_only.post("/api/batches", json=NEW, headers=PROOF)
    assert (refused.status_code, "WEBAPP_WISHES_DATABASE_URL" in refused.text) == (409, True)
    blind = open_client(wishes_database_url=url).post("/api/batches", json=NEW, headers=PROOF)
    assert (blind.status_code, "WEBAPP_FLEET_DATABASE_URL" in blind.text) == (409, True)
    refused = open_client().get("/api/batches")
    assert (refused.status_code, "WEBAPP_FLEET_DATABASE_URL" in refused.text) == (404, True)


def test_the_page_has_buttons_only_where_somebody_is_known(
    open_client: Open, url: str, tmp_path: Path
) -> None:
    databases = {"fleet_database_url": url, "wishes_database_url": url}
    known = open_client(**databases)
    assert 'data-do="submit"' in known.get("/fleet").text
    assert 'data-do="pause"' in known.get("/fleet/batches/there").text
    settings = read_settings(state_dir=tmp_path / "state", **databases)
    nobody = create_app(settings, poll=False, clock=clock).test_client()
    for path in ("/fleet", "/fleet/batches/there"):
        assert "data-do" not in nobody.get(path).text
        assert "confirm-dialog" not in nobody.get(path).text
        assert "Changing is off: nobody is known here: WEBAPP_TOKEN_FILE" in nobody.get(path).text


@pytest.mark.parametrize(
    ("login", "told"), [("eve", "eve may look only"), ("", "log in at the web server first"), ("ann", "")]
)
def test_whoever_may_only_look_reads_why_in_place_of_buttons(
    url: str, tmp_path: Path, login: str, told: str
) -> None:
    settings = read_settings(
        state_dir=tmp_path / "state", fleet_database_url=url, wishes_database_url=url, remote_users="ann"
    )
    client = create_app(settings, poll=False, clock=clock).test_client()
    for path in ("/fleet", "/fleet/batches/there", "/machines"):
        html = client.get(path, environ_overrides={"REMOTE_USER": login}).text
        assert ("Changing is off" in html) == bool(told), path
        assert told in html
        assert ('class="change"' in html) == (not told), path  # a form


def test_names_and_sources_stay_text_on_the_page(client: FlaskClient) -> None:
    client.post("/api/batches", json=NEW | {"source": f"/data/{HOSTILE}"}, headers=PROOF)
    html = client.get("/fleet").text
    assert "onerror=alert(1)&gt;" in html
    assert "<img" not in html


@pytest.mark.postgres
def test_a_deadline_of_another_year_is_shown_with_it(client: FlaskClient) -> None:
    body = {"name": "far", "source": "/data/far", "deadline": "9000-01-02T03:04Z"}
    assert client.post("/api/batches", json=body, headers=PROOF).status_code == 202
    assert "submit far from /data/far, due 02 Jan 9000 03:04" in client.get("/fleet").text


def test_the_documented_role_may_ask_and_nothing_else(
    open_client: Open, own_postgres: Postgres, tmp_path: Path
) -> None:
    owner = own_postgres.create_database()
    queue = queue_at(owner)
    add(queue, "there", images=4)
    with psycopg.connect(owner, autocommit=True) as connection:
        for statement in documented_grants():
            connection.execute(statement.replace("'...'", "'secret'").encode())
    guest = owner.replace("postgres@", "cloud_monitor_wishes@")
    client = open_client(fleet_database_url=owner, wishes_database_url=guest)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/1.png").write_bytes(b"x")
    source = {"name": "new", "source": str(tmp_path / "data")}
    for _ in range(2):
        made = client.post("/api/batches", json=source, headers=PROOF | {"Idempotency-Key": "k"})
    assert made.status_code == 200, made.text
    settings = read_worker_settings({"WORKER_SUBMIT_SOURCES": str(tmp_path)})
    assert Submitter(queue, settings, "vm1", threading.Event()).run() == 1
    wish = client.get(f"/api/batch-wishes/{made.json['wish']['id']}").json  # type: ignore[index]
    assert wish["wish"]["outcome"] == "1 picture in 1 chunk"  # type: ignore[index]
    with psycopg.connect(guest, autocommit=True) as connection:
        for statement in (
            "SELECT details FROM batch_wishes",
            "UPDATE batch_wishes SET done_at = 0",
            "DELETE FROM batch_wishes",
            "INSERT INTO batch_wishes (kind, batch, asked_by, asked_at, batch_id) "
            "VALUES ('submit', 'x', '', 0, 1)",
            "INSERT INTO batch_wishes (kind, batch, asked_by, asked_at, token) "
            "VALUES ('submit', 'x', '', 0, 1)",
            "SELECT prefixes FROM submit_sources",
            "SELECT name FROM batches",
            "INSERT INTO chunks (id) VALUES (1)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        revoked = b"REVOKE INSERT ON batch_wishes FROM cloud_monitor_wishes"
        with psycopg.connect(owner, autocommit=True) as own:
            own.execute(revoked)
            own.execute(b"REVOKE INSERT (kind) ON batch_wishes FROM cloud_monitor_wishes")
    refused = client.post("/api/batches/there/pause", json={}, headers=PROOF)
    assert (refused.status_code, "docs/machines.md has what the role needs" in refused.text) == (503, True)
    queue.close()
