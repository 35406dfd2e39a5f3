"""/fleet/batches/<name>: a batch and its results by what the address asks for, whatever they are called."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from functools import partial
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, update

from cloud_monitor.metrics.paths import clean, parse_path
from tests.webapp.sample import clock, write_sample
from tests.worker.queue.helpers import claim, queue_at
from webapp import create_app
from webapp.settings import read_settings
from webapp.views.fleet.reading import forget
from webapp.views.fleet.results.asked import read_asked
from webapp.views.fleet.results.gallery import batch_view
from worker.answers.notes import Note
from worker.queue import HostReport, Result, Usage
from worker.queue.schema import chunks
from worker.review import ResultFilter, read_batch_page

HOSTILE = "<img src=x onerror=alert(1)>"
NAME = "a/b <i>?"
ADDRESS = "/fleet/batches/a/b%20%3Ci%3E%3F"
IMAGES = 130


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
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


def test_a_search_in_parts_says_which_and_leads_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    names = [f"{number}.png" for number in range(6)]
    queue.add_directories(queue.add_batch("run", "/data"), [("d", names)], 2)
    for _ in range(3):
        held = claim(queue)
        queue.store(held, [Result(image.number, "CO", ("C",), (0.5,)) for image in held.images])
    queue.close()
    write_sample(tmp_path / "state")
    client = create_app(
        read_settings(state_dir=tmp_path / "state", fleet_database_url=url), poll=False, clock=clock
    ).test_client()
    whole = client.get("/fleet/batches/run?text=png").text
    assert (named_in(whole), "Searched" in whole) == ([0, 1, 2, 3, 4, 5], False)
    second = client.get("/fleet/batches/run?text=png&after=-1.0,0,0,1").text
    assert named_in(second) == [2, 3, 4, 5]
    assert "Searched results 3 to 6 of 6, the least sure of these first" in second
    none = client.get("/fleet/batches/run?text=x&after=-1.0,0,0,1").text
    assert "No result is as asked for among results 3 to 6 of 6." in none
    assert '<a href="?text=x">Search from the first</a>' in none
    found = read_batch_page(url, "run", ResultFilter(text="x"), None, 60, searched_max=2)
    assert found is not None
    page = batch_view(found, read_asked({"text": "x"}))
    assert page.searched == "the first 2 of 6 results"
    assert (page.next_query, page.next_words) == ("text=x&after=-1.0%2C0%2C0%2C1", "Search the next results")
    told = client.get("/api/results?batch=run&text=png&limit=2&after=-1.0,0,0,1").json
    assert told["searched"] == {"before": 2, "results": 4, "of": 6}
    assert told["next"] == "0.5,2,1,1"
    assert client.get("/api/results?batch=run").json["searched"] is None


@pytest.mark.parametrize(
    "query",
    [
        "show=x",
        "below=7",
        "below=nan",
        "note=x",
        "after=1",
        "after=nan,1,2",
        "after=1,99999999999,2",
        "after=1,2,3,4,5",
    ],
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


def named_in(html: str) -> list[int]:
    """Pictures of a list, be it a table or a gallery."""
    return [int(number) for number in re.findall(r">(?:<bdi>)?(?:d|of_\w+)/(\d+)\.png\s*<", html)]


def test_every_reason_leads_to_its_pictures_and_they_are_all_that_failed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    for name in ("run", "other"):
        names = [f"{number}.png" for number in range(4)]
        queue.add_directories(queue.add_batch(name, "/data"), [(f"of_{name}", names)], 4)
        held = claim(queue)
        errors = ("BlankImage: grey", "A kind & 'more'<b>: x")
        queue.store(held, [Result(number, None, error=error) for number, error in enumerate(errors)])
        lost = update(chunks).where(chunks.c.id == held.chunk).values(state="failed", error="<b>gone")
        queue.database.write(partial(Connection.execute, statement=lost))
    queue.close()
    write_sample(tmp_path / "state")
    settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
    client = create_app(settings, poll=False, clock=clock).test_client()
    forget()
    found = {}
    for page, times in (("/fleet", 2), ("/fleet/failed", 2), ("/fleet/batches/run", 1)):
        html = client.get(page).text
        reasons = html.split('<ul class="reasons">')[1].split("</ul>")[0].split("<li>")[1:]
        for reason in reasons:
            address, words = re.findall(r'<a href="([^"]*)">([^<]*)</a>', reason)[0]
            listed = client.get(urljoin(page, unescape(address))).text
            assert "<b>gone" not in listed
            count = int(re.findall(r"<b data-c>(\d+)</b>", reason)[0])
            found[unescape(words)] = named_in(listed)
            assert len(named_in(listed)) == count
        assert found == {
            "BlankImage": [0] * times, "A kind & 'more'<b>": [1] * times,
            "given up with their chunk": [2, 3] * times,
        }  # fmt: skip
    listed = client.get("/fleet/failed?show=given_up").text
    assert "given up with its chunk: &lt;b&gt;gone" in listed
    assert listed.index("of_run/2.png") < listed.index("of_other/2.png")
    assert named_in(client.get("/fleet/failed").text) == [0, 1, 0, 1]


def test_failed_pictures_page_by_page(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    names = [f"{number:03}.png" for number in range(IMAGES)]
    queue.add_directories(queue.add_batch("run", "/data"), [("d", names)], IMAGES)
    held = claim(queue)
    queue.store(held, [Result(number, None, error="BlankImage: grey") for number in range(65)])
    lost = update(chunks).where(chunks.c.id == held.chunk).values(state="failed")
    queue.database.write(partial(Connection.execute, statement=lost))
    queue.close()
    write_sample(tmp_path / "state")
    settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
    client = create_app(settings, poll=False, clock=clock).test_client()
    for query, all_of_it in (("error=BlankImage", range(65)), ("show=given_up", range(65, IMAGES))):
        html = client.get(f"/fleet/failed?{query}").text
        following = re.search(r'<a href="([^"]*)" rel="next">', html)
        assert following
        assert f"?{query}&" in unescape(following[1])
        rest = client.get("/fleet/failed" + unescape(following[1])).text
        assert 'rel="next"' not in rest
        assert named_in(html) + named_in(rest) == [*all_of_it]
    assert client.get("/fleet/failed?show=answers").status_code == 400
    assert client.get("/fleet/failed?after=1").status_code == 400
    assert "No picture failed so." in client.get("/fleet/failed?error=none%00").text


def test_unsure_is_what_the_hosts_have_set(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    queue.add_directories(queue.add_batch("run", "/data"), [("d", ["0.png", "1.png", "2.png"])], 3)
    sure = ((1.0, 0.1), (1.0, 0.65), (1.0, 0.8))
    queue.store(claim(queue), [Result(number, "C", ("C", "O"), sure[number]) for number in range(3)])
    write_sample(tmp_path / "state")
    settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
    client = create_app(settings, poll=False, clock=clock).test_client()

    def shown() -> tuple[str, list[str], int]:
        forget()
        html = client.get("/fleet/batches/run").text
        links = re.findall(r'href="/fleet/batches/run\?below=([^"]*)"', client.get("/fleet").text)
        return facts_of(html)["Unsure"], links, html.count('class="least n w"')

    assert shown() == ("1", ["0.6"], 1)
    report = HostReport("old", "azure", 1, 0, 50.0, 50.0, 0, {"doubtful_below": 0.9})
    queue.report_host(report)
    assert shown() == ("3", ["0.9"], 3)
    queue.report_host(replace(report, host="new", figures={"doubtful_below": 0.7}))
    queue.report_host(replace(report, host="without", figures={}))
    assert shown() == ("2", ["0.7"], 2)


def facts_of(html: str) -> dict[str, str]:
    facts = re.findall(r"<dt>([^<]*)</dt>(.*?)</div>", html.split('<dl class="facts">')[1].split("</dl>")[0])
    return {label: " ".join(re.sub("<[^>]*>", " ", value).split()) for label, value in facts}


def test_the_head_of_a_batch_says_what_it_took(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    batch = queue.add_batch("run <i>", "/data/<b>", deadline=time.time() + 7200)
    queue.add_directories(batch, [("d", [f"{number}.pdf" for number in range(8)])], 4)
    queue.release(claim(queue), "leaves", None)
    held = claim(queue)
    queue.store(held, [Result(number, "C", ("C",), (0.5 + number / 10,)) for number in range(4)])
    queue.finish(held, Usage(cpu_s=5400.0, wall_s=6000.0, peak_memory_bytes=512_000_000))
    queue.close()
    write_sample(tmp_path / "state")
    settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
    client = create_app(settings, poll=False, clock=clock).test_client()
    forget()
    html = client.get("/fleet/batches/run <i>").text
    facts = facts_of(html)
    assert {name: facts[name] for name in ("Pictures", "Read", "Failed", "Unsure", "Waiting")} == {
        "Pictures": "at least 8", "Read": "4", "Failed": "0", "Unsure": "1", "Waiting": "4",
    }  # fmt: skip
    taken = ("Claims", "Claimed again", "CPU time", "Wall time", "Peak memory, MB", "Cost", "Chunks in time")
    assert {name: facts[name] for name in taken} == {
        "Claims": "2", "Claimed again": "1", "CPU time": "1 h 30 min", "Wall time": "1 h 40 min",
        "Peak memory, MB": "512", "Cost": "not known", "Chunks in time": "1",
    }  # fmt: skip
    assert "50 % read:" in html
    assert "Pages of 4 documents are not counted yet." in html
    assert 'data-until="' in html
    assert "<i>" not in html
    assert 'data-spark="' not in html  # nobody sends its series
    assert "of at least 8" in client.get("/fleet").text


def test_a_batchs_figures_are_plotted_where_they_are_sent(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    queue.add_directories(queue.add_batch("run 1", "/data"), [("d", ["a.png"])], 4)
    queue.close()
    write_sample(tmp_path / "state", batches=("run 1",))
    settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
    html = create_app(settings, poll=False, clock=clock).test_client().get("/fleet/batches/run 1").text
    plotted = re.findall(r'data-spark="([^"]*)"', html)
    assert f"grids.belle.fleet.batches.{clean('run 1')}.read" in plotted
    assert f'data-path="grids.belle.fleet.batches.{clean("run 1")}.cpu_s"' in html
    assert all(parse_path(path).metric.family == "fleet_batches" for path in plotted)


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
