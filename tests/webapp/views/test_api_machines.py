"""`/api/machines` over a real queue: what it says, who may ask for what, and the role that may do no more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.services.postgres import Postgres
from tests.webapp.sample import clock, write_sample
from tests.webapp.views.machines import HOSTILE, open_sample
from tests.worker.queue.helpers import queue_at
from webapp import create_app
from webapp.settings import read_settings
from webapp.views.machines.queue import forget
from worker.queue.schema import events, machine_wishes

TOKEN = "ann-s-token-to-change"
PROOF = {"Authorization": f"Bearer {TOKEN}"}
ROOT = Path(__file__).parents[3]
Open = Callable[..., FlaskClient]


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    open_sample(url).close()
    return url


@pytest.fixture
def open_client(tmp_path: Path) -> Open:
    def make(**given: Any) -> FlaskClient:
        forget()
        write_sample(tmp_path / "state")
        (tmp_path / "tokens").write_text(f"ann {TOKEN}\n")
        settings = read_settings(state_dir=tmp_path / "state", token_file=tmp_path / "tokens", **given)
        return create_app(settings, poll=False, clock=clock).test_client()

    return make


@pytest.fixture
def client(open_client: Open, url: str) -> FlaskClient:
    return open_client(fleet_database_url=url, wishes_database_url=url)


def wishes_of(url: str) -> list[tuple[str, str, str, str, dict[str, Any]]]:
    queue = queue_at(url)
    rows = queue.database.read(lambda connection: connection.execute(select(machine_wishes)).all())
    queue.close()
    return [(row.kind, row.group_name, row.machine, row.asked_by, row.details) for row in rows]


def test_all_there_is_of_machines_and_groups(client: FlaskClient) -> None:
    answer = client.get("/api/machines")
    assert "<" not in answer.text, "not even a careless reader runs a cloud's fault"
    found = answer.json
    assert found is not None
    assert found["is_managed"]
    (group,) = found["groups"]
    assert (group["name"], group["wanted"], group["states"]["running"]) == ("workers", 3, 1)
    assert group["fault"] == f"mars/gpu: {HOSTILE}"
    assert [offer["place"] for offer in group["offers"]] == ["north/small", "north/large", "mars/gpu"]
    machines = {one["name"]: one for one in found["machines"]}
    assert list(machines) == ["m-boot", "m-drain", "m-run", "m-gone"], "those that are gone come last"
    run = machines["m-run"]
    assert (run["state"], run["group"], run["cores"], run["cloud_size"]) == ("running", "workers", 16, "c16")
    assert run["cost"] == pytest.approx(1.68, rel=0.01)
    assert (run["host"]["cpu_pct"], run["host"]["workers"]) == (71.4, 4)
    assert machines["m-boot"]["host"] is None


def test_what_a_request_would_be_is_told_before_it_is_sent(client: FlaskClient) -> None:
    found = client.get("/api/machine-preview?cores=4&memory_gb=16&count=1").json
    assert found is not None
    assert (found["place"], found["size"], found["price_per_hour"], found["room"]) == (
        "north/large", "c16", 0.84, 2
    )  # fmt: skip
    cheap = client.get("/api/machine-preview?cores=1").json
    assert cheap is not None
    assert cheap["place"] == "north/small", "the cheapest that has all of it"
    for query, status, words in (
        ("preset=gpu", 422, "mars/gpu: No valid host was found"),
        ("preset=large&count=3", 422, "north/large: the quota leaves 2"),
        ("preset=small&count=2", 422, "north/small: the group has 3 of at most 4 machines"),
        ("cores=33", 400, "cores: Input should be less than or equal to 32"),
        ("cores=many", 400, "cores: Input should be a valid integer"),
        ("memory_gb=100", 422, "north/large: has 64 GB of memory"),
    ):
        answer = client.get(f"/api/machine-preview?{query}")
        assert (answer.status_code, words in answer.json["error"]["message"]) == (status, True), answer.text  # type: ignore[index]


def test_what_is_asked_for_is_a_wish_with_its_asker_and_an_audit(
    client: FlaskClient, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cloud_monitor.audit")
    made = client.post("/api/machines", json={"preset": "large"}, headers=PROOF)
    assert made.status_code == 202, made.text
    assert made.json is not None
    (wish,) = made.json["wishes"]
    assert (wish["id"], wish["kind"], wish["is_open"]) == (1, "create", True)
    assert client.delete("/api/machines/m-run", headers=PROOF).status_code == 202
    assert client.delete("/api/machines/m-boot?now=true", headers=PROOF).status_code == 202
    changed = client.put(
        "/api/machines/groups/workers", json={"paused": True, "most": 7, "least": None}, headers=PROOF
    )
    assert [one["kind"] for one in changed.json["wishes"]] == ["limits", "pause"]  # type: ignore[index]
    assert wishes_of(url) == [
        ("create", "workers", "", "ann", {"count": 1, "place": "north/large"}),
        ("delete", "workers", "m-run", "ann", {}),
        ("delete", "workers", "m-boot", "ann", {"now": True}),
        ("limits", "workers", "", "ann", {"least": None, "most": 7}),
        ("pause", "workers", "", "ann", {}),
    ]
    told = [record.message for record in caplog.records]
    assert told[1] == "ann (by token, from 127.0.0.1) asked for delete workers m-run {} (wish 2)"
    shown = client.get("/api/machines").json
    assert shown is not None
    assert len(shown["wishes"]) == 5, "what was asked for is shown at once"


def test_each_refusal_has_its_status_and_writes_nothing(client: FlaskClient, url: str) -> None:
    for method, path, status, given in (
        ("post", "", 401, {"json": {"preset": "large"}}),
        ("post", "", 401, {"json": {}, "headers": {"Authorization": "Bearer wrong-token-wrong"}}),
        ("post", "", 403, {"json": {}, "headers": {**PROOF, "Sec-Fetch-Site": "cross-site"}}),
        ("delete", "/m-run", 403, {"headers": {**PROOF, "Origin": "https://evil.example"}}),
        ("post", "", 415, {"data": "{}", "headers": PROOF}),
        ("post", "", 400, {"json": {"cores": 64}, "headers": PROOF}),
        ("post", "", 400, {"json": {"colour": "red"}, "headers": PROOF}),
        ("post", "", 404, {"json": {"group": "others"}, "headers": PROOF}),
        ("post", "", 422, {"json": {"gpus": 2}, "headers": PROOF}),
        ("delete", "/nobody", 404, {"headers": PROOF}),
        ("delete", "/m-gone", 404, {"headers": PROOF}),
        ("delete", "/m-run?now=yes", 400, {"headers": PROOF}),
        ("put", "/groups/others", 404, {"json": {"paused": True}, "headers": PROOF}),
        ("put", "/groups/workers", 422, {"json": {}, "headers": PROOF}),
        ("put", "/groups/workers", 422, {"json": {"least": 5}, "headers": PROOF}),
        ("put", "/groups/workers", 400, {"json": {"most": -1}, "headers": PROOF}),
    ):
        answer = getattr(client, method)(f"/api/machines{path}", **given)
        assert answer.status_code == status, (method, path, given, answer.text)
        assert answer.json["error"]["message"]
    assert wishes_of(url) == []


def test_without_the_databases_the_remedy_is_named(open_client: Open, url: str, tmp_path: Path) -> None:
    read_only = open_client(fleet_database_url=url)
    assert read_only.get("/api/machines").status_code == 200
    refused = read_only.post("/api/machines", json={}, headers=PROOF)
    assert (refused.status_code, "WEBAPP_WISHES_DATABASE_URL" in refused.text) == (409, True)
    nothing = open_client()
    refused = nothing.get("/api/machines")
    assert (refused.status_code, "WEBAPP_FLEET_DATABASE_URL" in refused.text) == (404, True)
    blind = open_client(wishes_database_url=url).post("/api/machines", json={}, headers=PROOF)
    assert (blind.status_code, "WEBAPP_FLEET_DATABASE_URL" in blind.text) == (409, True)
    away = open_client(fleet_database_url=f"sqlite:///{tmp_path / 'missing.db'}")
    refused = away.get("/api/machines")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")


def documented_grants() -> list[str]:
    """The SQL of docs/machines.md for the role of the wishes."""
    text = (ROOT / "docs/machines.md").read_text()
    block = text.split("```sql\n")[1].split("```")[0]
    return [statement.strip() for statement in block.split(";") if statement.strip()]


@pytest.mark.postgres
def test_the_documented_role_may_wish_and_nothing_else(open_client: Open, own_postgres: Postgres) -> None:
    owner = own_postgres.create_database()
    open_sample(owner).close()
    with psycopg.connect(owner, autocommit=True) as connection:
        for statement in documented_grants():
            connection.execute(statement.replace("'...'", "'secret'").encode())
    guest = owner.replace("postgres@", "cloud_monitor_wishes@")
    client = open_client(fleet_database_url=owner, wishes_database_url=guest)
    assert client.post("/api/machines", json={"preset": "large"}, headers=PROOF).status_code == 202
    assert wishes_of(owner)[0][0] == "create"
    queue = queue_at(owner)
    (event,) = queue.database.read(
        lambda connection: connection.execute(
            select(events.c.message).where(events.c.kind == "machine_wish")
        ).scalars().all()
    )  # fmt: skip
    queue.close()
    assert event.startswith("ann asks: create workers")
    with psycopg.connect(guest, autocommit=True) as connection:
        for statement in (
            "SELECT details FROM machine_wishes",
            "UPDATE machine_wishes SET done_at = 0",
            "DELETE FROM machine_wishes",
            "SELECT message FROM events",
            "SELECT name FROM machines",
            "INSERT INTO machines (name) VALUES ('x')",
            "UPDATE machine_groups SET paused = true",
            "SELECT name FROM chunks",
            "CREATE TABLE mine (id int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
    reader = open_client(fleet_database_url=owner, wishes_database_url=owner.replace("postgres@", "nobody@"))
    assert reader.post("/api/machines", json={"preset": "large"}, headers=PROOF).status_code == 503
