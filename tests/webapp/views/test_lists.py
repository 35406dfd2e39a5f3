"""The pages and the interface that show lists: what stands in them, filters, order, parts, age, links."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.webapp.listings import job, listing, put_list, sample_list, vm, write_token
from tests.webapp.sample import NOW, clock, write_sample
from webapp import create_app
from webapp.settings import Settings


def make_app(folder: Path, clock: Callable[[], float] = clock, **settings: Any) -> Flask:
    write_sample(folder, clock())
    given = {"inventory_token_file": write_token(folder), "grid_names": {"belle": "Belle II"}, **settings}
    return create_app(Settings(state_dir=folder, **given), poll=False, clock=clock)


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = make_app(tmp_path)
    assert put_list(app, "belle", sample_list()).status_code == 204
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def names(html: str) -> list[str]:
    """What the rows of a list are called, in their order."""
    return [unescape(name) for name in re.findall(r'<tr><th scope="row"><a href="[^"]*">([^<]*)</a>', html)]


def row(html: str, name: str) -> list[str]:
    """The texts of a row's cells."""
    found = re.search(rf">{re.escape(name)}</a>(.*?)(<tr|</tbody>)", html, re.DOTALL)
    assert found, name
    return [unescape(text) for text in re.findall(r"<td[^>]*>([^<]*)", found[1])]


def test_vms_are_listed_those_in_trouble_first(client: FlaskClient) -> None:
    html = client.get("/grids/belle/vms").text
    assert "VMs of Belle II" in html
    found = names(html)
    assert set(found[:3]) == {"vm9.cern.example", "vm10.uvic.example", "vm11.uvic.example"}
    assert len(found) == 12
    assert row(html, "vm9.cern.example")[0] == "error"
    assert row(html, "vm11.uvic.example")[0] == "running, unregistered"
    assert row(html, "vm12.cern.example")[0] == "running, idle"
    assert "6 of 8" in row(html, "vm1.cern.example")


def test_jobs_are_listed_with_what_holds_them(client: FlaskClient) -> None:
    html = client.get("/grids/belle/jobs").text
    assert names(html) == ["100.1@sched-1", "99.0@sched-2", "100.0@sched-1", "100.2@sched-1"]
    assert "34: used 9 GB of 4 GB" in row(html, "100.1@sched-1")
    assert 'title="34 JobOutOfResources: used more memory' in html
    assert "sim, mcore" in row(html, "100.2@sched-1")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=error", {"vm9.cern.example"}),
        ("status=unreg", {"vm11.uvic.example"}),
        ("status=idle", {"vm12.cern.example"}),
        ("cloud=uvic", {"vm10.uvic.example", "vm11.uvic.example"}),
        ("type=small", {"vm10.uvic.example"}),
        ("cloud=uvic&status=lost", {"vm10.uvic.example"}),
        ("text=VM1.", {"vm1.cern.example"}),
        ("text=uvic+lost", {"vm10.uvic.example"}),
        ("text=i-vm9", {"vm9.cern.example"}),
        ("text=%25", set()),
        ("text=_m1", set()),
        ("text=busy_slots", set()),
        ("cloud=nowhere", set()),
        ("status=gone", set()),
    ],
)
def test_filters(client: FlaskClient, query: str, expected: set[str]) -> None:
    assert set(names(client.get(f"/grids/belle/vms?{query}").text)) == expected
    assert {vm["key"] for vm in client.get(f"/api/vms?grid=belle&{query}").json["vms"]} == expected


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("key", "vm1.cern.example"),
        ("-key", "vm9.cern.example"),
        ("cloud", "vm1.cern.example"),
        ("-cloud", "vm10.uvic.example"),
        ("status", "vm9.cern.example"),
        ("busy_slots", "vm12.cern.example"),
        ("since", "vm9.cern.example"),
        ("-vmtype", "vm10.uvic.example"),
    ],
)
def test_order(client: FlaskClient, sort: str, first: str) -> None:
    html = client.get(f"/grids/belle/vms?sort={sort}").text
    assert names(html)[0] == first
    assert f'aria-sort="{"descending" if sort.startswith("-") else "ascending"}"' in html
    assert client.get(f"/api/vms?sort={sort}").json["vms"][0]["key"] == first


def test_what_has_no_value_stands_at_the_end_whatever_the_direction(client: FlaskClient) -> None:
    for sort in ("busy_slots", "-busy_slots"):
        assert names(client.get(f"/grids/belle/vms?sort={sort}").text)[-1] == "vm11.uvic.example"


def test_a_heading_leads_to_the_list_sorted_by_it_and_keeps_the_filter(client: FlaskClient) -> None:
    def link(query: str) -> str:
        html = client.get(f"/grids/belle/vms{query}").text
        found = re.search(r'<a href="([^"]*)">Cloud</a>', html)
        assert found
        return unescape(found[1])

    assert link("?status=running") == "?status=running&sort=cloud"
    assert link("?status=running&sort=cloud") == "?status=running&sort=-cloud"
    assert link("?status=running&sort=-cloud") == "?status=running"


def test_the_form_says_what_is_asked_for_and_the_statuses_are_counted(client: FlaskClient) -> None:
    html = client.get("/grids/belle/vms?cloud=cern&text=vm&status=odd").text
    assert "<option selected>cern</option>" in html
    assert "<option selected>odd</option>" in html
    assert 'value="vm"' in html
    chips = dict(re.findall(r'<li><a href="([^"]*)"[^>]*><b[^>]*>(\d+)</b>', html))
    assert chips["?cloud=cern&amp;status=running&amp;text=vm"] == "9"
    assert 'data-query="cloud=cern&amp;status=odd&amp;text=vm"' in html


def test_a_long_list_comes_in_parts(app: Flask) -> None:
    put_list(app, "belle", listing(NOW + 1, [vm(f"vm{number:04}") for number in range(1200)]))
    client = app.test_client()
    found: list[str] = []
    for page in (1, 2, 3):
        html = client.get(f"/grids/belle/vms?status=running&page={page}").text
        found += names(html)
        assert ('rel="prev"' in html, 'rel="next"' in html) == (page > 1, page < 3)
    assert found == [f"vm{number:04}" for number in range(1200)]
    assert "1–500 of 1 200" in client.get("/grids/belle/vms?status=running").text
    assert "Nothing in the list is like that" in client.get("/grids/belle/vms?status=running&page=9").text


def test_a_cut_list_says_what_it_leaves_out(app: Flask) -> None:
    totals = {"held": 96, "running": 1000, "idle": 72016}
    put_list(app, "belle", listing(NOW + 1, [], [job("1.0", "held")], jobs_total=totals, jobs_cut=True))
    html = app.test_client().get("/grids/belle/jobs").text
    assert "1 of 73 112 jobs are listed (in all: 96 held, 1 000 running, 72 016 idle)." in html


def test_refreshes_carry_the_cells_of_what_is_asked_for(client: FlaskClient) -> None:
    query = "cloud=uvic&sort=-key"
    cells = client.get(f"/grids/belle/vms?{query}&part=cells").json
    body = client.get(f"/grids/belle/vms?{query}&part=body").json
    assert cells["layout"] == body["layout"]
    assert names(body["html"]) == ["vm11.uvic.example", "vm10.uvic.example"]
    assert len(re.findall(r"<td|data-c", body["html"])) == len(cells["cells"])


def test_an_unchanged_list_is_a_304_and_a_new_one_is_not(app: Flask) -> None:
    client = app.test_client()
    for path in ("/grids/belle/vms", "/grids/belle/vms/vm1.cern.example", "/grids/belle/clouds/cern"):
        for part in ("", "?part=cells"):
            etag = client.get(path + part).headers["ETag"]
            answer = client.get(path + part, headers={"If-None-Match": etag})
            assert (answer.status_code, answer.data) == (304, b"")
    put_list(app, "belle", sample_list(NOW))
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 200


def test_pages_of_lists_do_not_push_out_the_kept_pages(app: Flask) -> None:
    from webapp.serving.page_cache import EXTENSION

    client = app.test_client()
    client.get("/")
    kept = app.extensions[EXTENSION]._slots
    before = set(kept)
    for number in range(100):
        client.get(f"/grids/belle/vms?text={number}")
    assert set(kept) == before


def test_an_old_list_is_shown_with_its_age_and_never_as_if_it_held_now(tmp_path: Path) -> None:
    app = make_app(tmp_path, lambda: NOW + 1200)
    put_list(app, "belle", sample_list(NOW))
    client = app.test_client()
    html = client.get("/grids/belle/vms").text
    assert 'class="list-age since s"' in html
    assert "As of 20 min ago" in html
    assert re.search(r'<td class="t b s">error', html)
    assert ">no data</span>" in html
    assert ">no data</span>" in client.get("/grids/belle/vms/vm1.cern.example").text
    assert client.get("/api/vms").json["grids"][0]["freshness"] == "stale"


def test_one_vm_with_its_past_and_its_jobs(app: Flask) -> None:
    changed = sample_list(NOW + 60)
    changed["vms"][0]["status"] = "retiring"
    changed["vms"][0]["since"] = NOW + 30
    put_list(app, "belle", changed)
    html = app.test_client().get("/grids/belle/vms/vm1.cern.example").text
    assert '<a href="/grids/belle/clouds/cern">cern</a>' in html
    history = html.split("Status history", 1)[1].split("</table>")[0]
    assert re.findall(r"<td class=t>(\w+)", history) == ["Retiring", "Running"]
    jobs = html.split("<caption>Jobs on this VM", 1)[1].split("</table>")[0]
    assert 'href="/grids/belle/jobs/100.0@sched-1"' in jobs
    assert row(html, "100.0@sched-1")[:2] == ["now", "running"]
    assert row(html, "100.1@sched-1")[:2] == ["before", "held"]


def test_one_job_with_its_past_and_its_hosts(app: Flask) -> None:
    changed = sample_list(NOW + 60)
    changed["jobs"][0] |= {"host": "vm2.cern.example", "since": NOW + 20, "starts": 2}
    put_list(app, "belle", changed)
    html = app.test_client().get("/grids/belle/jobs/100.0@sched-1").text
    hosts = html.split("<caption>Hosts of this job", 1)[1].split("</table>")[0]
    assert re.findall(r'href="/grids/belle/vms/([^"]*)"', hosts) == ["vm2.cern.example", "vm1.cern.example"]
    held = app.test_client().get("/grids/belle/jobs/100.1@sched-1").text
    assert "34 JobOutOfResources: used more memory, disk or CPU than it had asked for" in held
    assert "used 9 GB of 4 GB" in held


def test_a_jobs_number_alone_leads_to_it(client: FlaskClient) -> None:
    answer = client.get("/grids/belle/jobs/99.0")
    assert answer.status_code == 302
    assert client.get(answer.headers["Location"]).status_code == 200
    assert client.get("/grids/belle/jobs/99").status_code == 404
    assert client.get("/grids/belle/jobs/%25").status_code == 404


def test_a_number_on_two_schedds_leads_to_both(app: Flask) -> None:
    put_list(app, "belle", listing(NOW + 1, [], [job("1.0", schedd="a"), job("1.0", schedd="b")]))
    client = app.test_client()
    html = client.get(client.get("/grids/belle/jobs/1.0").headers["Location"]).text
    assert names(html) == ["1.0@a", "1.0@b"]


def test_a_clouds_page_has_its_vms_and_jobs(client: FlaskClient) -> None:
    html = client.get("/grids/belle/clouds/uvic").text
    tables = html.split("<caption>VMs</caption>", 1)[1].split("</table>")[0]
    assert re.findall(r'href="/grids/belle/vms/([^"]*)"', tables) == [
        "vm10.uvic.example",
        "vm11.uvic.example",
    ]
    assert "<caption>Jobs</caption>" in html
    assert 'href="/grids/belle/vms?cloud=uvic&amp;status=error"' in html
    assert 'href="/grids/belle/jobs?status=held"' in client.get("/grids/belle").text
    assert 'href="/grids/belle/jobs?status=held"' in client.get("/held").text


def test_links_stay_below_the_prefix_that_a_proxy_serves_the_page_under(client: FlaskClient) -> None:
    for path in ("/grids/belle/vms", "/grids/belle/vms/vm1.cern.example", "/grids/belle/clouds/cern"):
        html = client.get(path, base_url="http://localhost/monitor").text
        addresses = re.findall(r'href="(/[^"]*)"', html)
        assert addresses
        assert [address for address in addresses if not address.startswith("/monitor/")] == []


def test_links_to_other_tools_name_the_vm_and_the_job(tmp_path: Path) -> None:
    links = [
        {"name": "Logs", "url": "https://logs.example.org/?q={host}&grid={grid}"},
        {"name": "Job log", "url": "https://logs.example.org/job/{job}"},
        {"name": "Grafana", "url": "https://grafana.example.org/"},
    ]
    app = make_app(tmp_path, links=links)
    put_list(app, "belle", listing(NOW, [vm("a b&c.example")], [job("1.0", host="a b&c.example")]))
    client = app.test_client()
    of_vm = client.get("/grids/belle/vms/a%20b&c.example").text
    assert 'href="https://logs.example.org/?q=a%20b%26c.example&amp;grid=belle"' in of_vm
    assert "Job log" not in of_vm
    of_job = client.get("/grids/belle/jobs/1.0@sched-1").text
    assert 'href="https://logs.example.org/job/1.0"' in of_job
    status = client.get("/").text
    assert "Grafana" in status
    assert "Logs" not in status


def test_without_lists_the_pages_say_how_to_get_them(tmp_path: Path) -> None:
    write_sample(tmp_path)
    off = create_app(Settings(state_dir=tmp_path), poll=False, clock=clock).test_client()
    for kind in ("vms", "jobs"):
        answer = off.get(f"/grids/belle/{kind}")
        assert answer.status_code == 200
        assert "WEBAPP_INVENTORY_TOKEN_FILE" in answer.text
        assert off.get(f"/grids/nowhere/{kind}").status_code == 404
        assert off.get(f"/grids/belle/{kind}/x").status_code == 404
        assert off.get(f"/api/{kind}").json["error"]["code"] == "inventory_off"
    assert "/grids/belle/vms" not in off.get("/grids/belle").text
    assert "/grids/belle/jobs" not in off.get("/held").text
    on = make_app(tmp_path).test_client()
    assert "No list of VMs has come from belle yet" in on.get("/grids/belle/vms").text
    assert on.get("/grids/nowhere/vms").status_code == 404
    assert on.get("/grids/belle/clouds/cern").status_code == 200
    assert on.get("/api/vms").json["vms"] == []


def test_lists_that_come_without_one_kind_are_told_from_lists_that_do_not_come(app: Flask) -> None:
    put_list(app, "atlas", listing(NOW, [vm("a")], None))
    put_list(app, "quiet", listing(NOW, None, None))
    client = app.test_client()
    assert names(client.get("/grids/atlas/vms").text) == ["a"]
    assert "The collector of atlas sends lists, but none of jobs" in client.get("/grids/atlas/jobs").text
    assert "sends lists, but none of VMs" in client.get("/grids/quiet/vms").text


def test_a_list_that_is_cut_and_names_all_it_knows_of_says_that_some_may_be_missing(app: Flask) -> None:
    put_list(app, "belle", listing(NOW + 1, [vm("a")], vms_total=1, vms_cut=True))
    assert "Some VMs may be missing" in app.test_client().get("/grids/belle/vms").text


def test_hidden_grids_are_hidden_here_too(tmp_path: Path) -> None:
    app = make_app(tmp_path, hidden_grids=["belle"])
    put_list(app, "belle", sample_list())
    client = app.test_client()
    for path in ("/grids/belle/vms", "/grids/belle/jobs", "/grids/belle/vms/vm1.cern.example"):
        assert client.get(path).status_code == 404
    assert client.get("/api/vms").json["grids"] == []
    assert client.get("/api/vms?grid=belle").status_code == 404


def test_a_file_that_cannot_be_read_is_told_on_every_page(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "inventory/belle.sqlite"
    for path in ("/grids/belle/vms", "/grids/belle/jobs/1.0", "/grids/belle/clouds/cern"):
        file.write_bytes(b"this is no database " * 1000)
        answer = app.test_client().get(path)
        assert answer.status_code == 200
        assert str(file) in answer.text
    file.write_bytes(b"this is no database " * 1000)
    assert app.test_client().get("/api/vms").status_code == 503


def test_the_interface_gives_all_of_every_grid_within_its_limit(app: Flask) -> None:
    put_list(app, "atlas", listing(NOW, [vm(f"a{number}") for number in range(5)]))
    client = app.test_client()
    both = client.get("/api/vms").json
    assert [(grid["grid"], grid["found"]) for grid in both["grids"]] == [("atlas", 5), ("belle", 12)]
    assert len(both["vms"]) == 17
    few = client.get("/api/vms?limit=6").json
    assert [vm["grid"] for vm in few["vms"]] == ["atlas"] * 5 + ["belle"]
    held = client.get("/api/jobs?status=held").json["jobs"]
    assert held == [
        {
            **{key: held[0][key] for key in ("since", "first_seen_at", "changes")},
            "grid": "belle", "key": "100.1@sched-1", "id": "100.1", "schedd": "sched-1", "status": "held",
            "last_status": "held", "types": ["sim"], "user": "alice", "group": "group_prod", "cloud": "",
            "queued_at": NOW - 7200, "host": "", "last_host": "vm1.cern.example", "hold_code": 34,
            "hold_reason": "used 9 GB of 4 GB", "starts": 1, "gone_at": None,
        }
    ]  # fmt: skip
    for wrong in ("limit=0", "limit=5001", "limit=x", "sort=data", "sort=--key"):
        assert client.get(f"/api/jobs?{wrong}").status_code == 400
    assert client.get("/api/jobs?grid=nowhere").status_code == 404


def test_what_keeps_lists_is_loaded_only_where_lists_are_kept() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from webapp import create_app; from webapp.settings import Settings; import tempfile;"
        "app = create_app(Settings(state_dir=tempfile.mkdtemp()), poll=False);"
        "app.test_client().get('/grids/x/vms'); app.test_client().get('/api/vms');"
        "print('webapp.inventory.database' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(said.stdout.strip().lower()) is False
