"""/machines with a real queue behind it: what it says, that names stay text, and what is not sent again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cloud_monitor.system.text import format_number
from tests.webapp.sample import clock, write_sample
from tests.webapp.views.machines import open_sample
from tests.worker.queue.helpers import queue_at
from webapp import create_app
from webapp.pages.cells import NOTHING
from webapp.settings import read_settings
from webapp.views.machines.queue import forget
from worker.queue.machines.machines import change_group, change_machine
from worker.queue.machines.wishes import MachineWish, add_wish

Open = Callable[..., FlaskClient]


@pytest.fixture
def open_client(tmp_path: Path) -> Open:
    def make(**given: Any) -> FlaskClient:
        forget()
        write_sample(tmp_path / "state")
        settings = read_settings(state_dir=tmp_path / "state", **given)
        return create_app(settings, poll=False, clock=clock).test_client()

    return make


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    open_sample(url).close()
    return url


def cells_of(html: str, machine: str) -> list[str]:
    row = html.split(f'data-machine="{machine}"')[1].split("</tr>")[0]
    return re.findall(r"<td[^>]*>([^<]*)", row)


def test_machines_and_groups_are_shown_with_what_leads_to_their_plots(open_client: Open, url: str) -> None:
    html = open_client(fleet_database_url=url, wishes_database_url=url).get("/machines").text
    body = html.split("<main")[1]
    assert "The machine manager is at work." in body
    assert "1,200 images; those due in 2 h need 3 machines" in body
    assert cells_of(body, "m-run")[:11] == [
        "running", "1,200 images", "workers", "north/large", "c16: 16 cores, 64 GB, 200 GB storage", "2 h",
        format_number(4000), "1.68", "4", "71", "38",
    ]  # fmt: skip
    places = body.split("<caption>Places of workers")[1].split("</table>")[0].split("<tr>")
    assert [re.findall(r"<t[dh][^>]*>([^<]*)", row)[2:7] for row in places[2:4]] == [
        ["0.1", *[NOTHING] * 3, "5"],
        ["0.84", "2", "1 min", "0.12", "2"],
    ]
    assert cells_of(body, "m-boot")[3] == "north/large (kept)"
    assert 'data-path="grids.atlas.fleet.hosts.m-run.cpu_pct"' in body
    assert 'data-path="grids.atlas.fleet.machines.workers.each.m-run.cost"' in body
    group = "grids.atlas.fleet.machines.workers"
    assert f'data-spark="{group}.wanted {group}.states.running {group}.states.booting"' in body
    assert 'data-spark="grids.atlas.fleet.hosts.m-run.cpu_pct"' in body, "one plot over all machines"
    assert 'value="0.815"' in body, "of the cap"
    assert "<img" not in body
    assert "&lt;img src=x onerror=alert(1)&gt;" in body
    assert 'data-refresh-s="5"' in html
    assert "Drain" not in cells_of(body, "m-gone")


def test_who_may_not_change_has_no_buttons(open_client: Open, url: str) -> None:
    html = open_client(fleet_database_url=url).get("/machines").text
    assert "m-run" in html
    assert "data-do=" not in html
    assert "create-dialog" not in html


def test_what_has_not_changed_is_not_sent_again(open_client: Open, url: str) -> None:
    client = open_client(fleet_database_url=url)
    first = client.get("/machines?part=cells")
    again = client.get("/machines?part=cells", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.text) == (200, 304, "")
    queue = queue_at(url)
    queue.database.write(lambda connection: change_machine(connection, "m-run", "", images_done=4001))
    queue.close()
    kept = client.get("/machines?part=cells", headers={"If-None-Match": first.headers["ETag"]})
    assert kept.status_code == 304, "the queue is asked once within two seconds, however many look"
    forget()
    news = client.get("/machines?part=cells", headers={"If-None-Match": first.headers["ETag"]})
    assert news.status_code == 200
    assert news.json is not None
    assert news.json["layout"] == first.json["layout"]  # type: ignore[index]


def test_wishes_faults_and_a_manager_that_is_away_are_told(open_client: Open, url: str) -> None:
    queue = queue_at(url)

    def change(connection: Any) -> None:
        add_wish(connection, MachineWish("delete", "workers", "m-run", "<ann>", {"now": True}))
        change_group(connection, "workers", stopped="3 machines in a row died young")
        connection.exec_driver_sql("UPDATE manager_lease SET seen_at = seen_at - 1000")

    queue.database.write(change)
    queue.close()
    client = open_client(fleet_database_url=url, wishes_database_url=url, remote_users="ann")
    body = client.get("/machines", environ_overrides={"REMOTE_USER": "ann"}).text.split("<main")[1]
    assert "The machine manager is silent for 16 min" in body
    assert "3 machines in a row died young" in body
    assert 'data-do="resume"' in body
    assert "&lt;ann&gt;" in body
    assert "delete m-run now True" in body
    assert "waits for the manager&#39;s next round" in body or "waits for the manager's next round" in body


def test_without_a_queue_the_page_says_what_is_to_be_done(open_client: Open, tmp_path: Path) -> None:
    assert "WEBAPP_FLEET_DATABASE_URL" in open_client().get("/machines").text
    away = open_client(fleet_database_url=f"sqlite:///{tmp_path / 'missing.db'}").get("/machines")
    assert (away.status_code, "missing.db" in away.text) == (200, True)
    empty = f"sqlite:///{tmp_path / 'empty.db'}"
    queue_at(empty).close()
    body = open_client(fleet_database_url=empty).get("/machines").text
    assert "No group of machines is known yet" in body
    assert "No machine manager has been here" in body
