"""/fleet/results/<chunk>/<number> and /api/results: one result whole, and its way through the list."""

from __future__ import annotations

import re
import socket
import time
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.webapp.sample import clock, write_sample
from tests.worker.queue.helpers import claim, queue_at
from webapp import create_app
from webapp.serving.kept import FAULT_KEPT_S
from webapp.settings import read_settings
from worker.answers.notes import Note
from worker.queue import Result

HOSTILE = '<img src=x onerror="alert(1)">'
IMAGES = 30


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """Numbers from 3 on by confidence; 0 failed, 1 is no molecule, 2 has no tokens."""
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    names = [f"{number:03}{HOSTILE}.png" for number in range(IMAGES)]
    queue.add_directories(queue.add_batch("run", "/data"), [("d", names)], IMAGES)
    held = claim(queue)
    unparsable = (Note("unparsable", f"'{HOSTILE}' at 0 is no part of a SMILES"),)
    made = [
        Result(0, None, error=f"BlankImage: {HOSTILE}"),
        Result(1, HOSTILE, ("<img", "]"), (0.95, 0.01), notes=unparsable),
        Result(2, "CO", (), (0.02,)),
        *(
            Result(n, "C" * n, ("C", "<b>", "O"), (0.65, n / IMAGES, 0.55), sha256=f"{n:064x}")
            for n in range(3, IMAGES)
        ),
    ]
    queue.store(held, made)
    queue.close()
    write_sample(tmp_path / "state")
    settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
    return create_app(settings, poll=False, clock=clock).test_client()


def link(html: str, rel: str) -> str:
    found = re.search(rf'<a href="([^"]*)" rel="{rel}"', html)
    return unescape(found[1]) if found else ""


def test_the_neighbours_of_a_result_are_those_of_the_list(client: FlaskClient) -> None:
    address, passed = "/fleet/results/1/3?below=0.4", []
    while address:
        passed.append(address)
        address = link(client.get(address).text, "next")
    assert passed == [f"/fleet/results/1/{number}?below=0.4" for number in range(3, 12)]
    back = []
    address = passed[-1]
    while address:
        back.append(address)
        address = link(client.get(address).text, "prev")
    assert back == [f"/fleet/results/1/{number}?below=0.4" for number in range(11, 0, -1)]


@pytest.mark.parametrize("number", [2, 20])
def test_the_way_back_shows_the_result_in_its_list(client: FlaskClient, number: int) -> None:
    html = client.get(f"/fleet/results/1/{number}?below=0.9").text
    found = re.search(r'<a href="([^"]*)" id="to-list"', html)
    assert found is not None
    address, _, anchor = unescape(found[1]).partition("#")
    assert ("after=" in address) == (number == 20)
    assert f'id="{anchor}"' in client.get(address).text


def test_tokens_have_the_look_of_their_confidence(client: FlaskClient) -> None:
    html = client.get("/fleet/results/1/24").text
    assert (
        '<span class="c6" title="65 %">C</span><span class="c8" title="80 %">&lt;b&gt;</span>'
        '<span class="c5" title="55 %">O</span></code>'
    ) in html
    assert '<code dir="ltr">O 55 %</code> <code dir="ltr">C 65 %</code>' in html


def test_where_tokens_are_not_kept_the_page_says_so(client: FlaskClient) -> None:
    html = client.get("/fleet/results/1/2").text
    assert "The tokens of this answer are not kept" in html
    assert "Token by token" in html


def test_markup_in_names_answers_and_evidence_is_text(client: FlaskClient) -> None:
    for number in (0, 1, 3):
        html = client.get(f"/fleet/results/1/{number}").text
        assert "<img" not in html
        assert "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;" in html
    assert "BlankImage: &lt;img" in client.get("/fleet/results/1/0").text


def test_what_is_no_molecule_by_its_grammar_is_said_and_not_drawn(client: FlaskClient) -> None:
    html = client.get("/fleet/results/1/1").text
    assert ("<b>not a molecule</b>" in html, "data-structure" in html) == (True, False)
    chosen = client.get("/fleet/batches/run?show=not_a_molecule").text
    assert re.findall(r'data-result="([^"]*)"', chosen) == ["1/1"]


@pytest.mark.parametrize("address", ["1/99", "2/0", "99999999999999999999/0", "1/99999999999999999999"])
def test_a_result_that_is_not_there(client: FlaskClient, address: str) -> None:
    assert client.get(f"/fleet/results/{address}").status_code == 404
    assert client.get(f"/api/results/{address}").status_code == 404


def test_a_result_outside_the_list_has_no_neighbours(client: FlaskClient) -> None:
    html = client.get("/fleet/results/1/0").text
    assert (link(html, "prev"), link(html, "next")) == ("", "")


def ask(client: FlaskClient, address: str) -> Any:
    return client.get(address).json


def test_programs_read_the_list_page_by_page(client: FlaskClient) -> None:
    seen, following = [], ""
    while following is not None:
        page = ask(client, f"/api/results?batch=run&show=answers&limit=7&after={following}")
        seen += [(result["chunk"], result["number"]) for result in page["results"]]
        following = page["next"]
    by_least = sorted(range(3, IMAGES), key=lambda number: min(0.55, number / IMAGES))
    assert seen == [(1, 1), (1, 2), *((1, number) for number in by_least)]


def test_programs_read_one_result(client: FlaskClient) -> None:
    result = ask(client, "/api/results/1/4?below=0.5")
    assert {
        name: result[name] for name in ("batch", "image", "image_hash", "smiles", "tokens", "attempt")
    } == {
        "batch": "run",
        "image_hash": f"{4:064x}",
        "image": f"d/004{HOSTILE}.png",
        "smiles": "CCCC",
        "tokens": ["C", "<b>", "O"],
        "attempt": 1,
    }
    assert result["confidences"] == [0.65, round(4 / IMAGES, 6), 0.55]  # as in exports
    assert (result["previous"], result["next"]) == ({"chunk": 1, "number": 3}, {"chunk": 1, "number": 5})
    failed = ask(client, "/api/results/1/0")
    assert (failed["smiles"], failed["error"]) == (None, f"BlankImage: {HOSTILE}")
    assert ask(client, "/api/results/1/1")["notes"] == {
        "unparsable": f"'{HOSTILE}' at 0 is no part of a SMILES"
    }


def test_programs_are_told_what_is_wrong(client: FlaskClient, tmp_path: Path) -> None:
    assert client.get("/api/results").json["error"]["code"] == "batch_missing"  # type: ignore[index]
    assert client.get("/api/results?batch=none").status_code == 404
    assert client.get("/api/results?batch=run&below=7").status_code == 400
    app = create_app(read_settings(state_dir=tmp_path / "state"), poll=False, clock=clock)
    assert "WEBAPP_FLEET_DATABASE_URL" in app.test_client().get("/api/results/1/1").text


def test_pages_do_not_wait_in_turn_for_a_database_that_does_not_answer(tmp_path: Path) -> None:
    write_sample(tmp_path / "state")
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        url = f"postgresql://page@127.0.0.1:{server.getsockname()[1]}/fleet"
        settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
        client = create_app(settings, poll=False, clock=clock).test_client()
        began_s = time.monotonic()
        assert client.get("/fleet/results/1/1").status_code == 503
        server.setblocking(False)
        assert callers(server) > 0
        for address in (
            "/fleet/results/1/1",
            "/fleet/batches/run",
            "/api/results?batch=run",
            "/api/results/1/1",
        ):
            assert client.get(address).status_code == 503
        assert callers(server) == 0 or time.monotonic() - began_s >= FAULT_KEPT_S


def callers(server: socket.socket) -> int:
    """How many have called since they were counted last."""
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1
