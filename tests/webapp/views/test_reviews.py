"""/api/reviews: who may say what of which answer, told as JSON lines, and how well confidence tells it."""

from __future__ import annotations

import logging
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from cloud_monitor.reviews import read_line
from tests.webapp.sample import NOW, clock, write_sample
from tests.worker.queue.helpers import claim, queue_at
from webapp import create_app
from webapp.reviews import FILE_NAME
from webapp.settings import read_settings
from worker.queue import Result, Usage

TOKENS = {"anna": "anna-s-token-0123456789", "bert": "bert-s-token-0123456789"}
BATCH = "a/b <i>"
SMILES = ("CCO", "<img src=x onerror=alert(1)>", "C\u202eN\x07", None, "")
LEAST = (0.3, 0.55, 0.95)


def proof(name: str = "anna") -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[name]}"}


def file_hash(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    url = f"sqlite:///{tmp_path}/queue.db"
    read_batch(url, BATCH, SMILES)
    write_sample(tmp_path / "state")
    tokens = tmp_path / "tokens"
    tokens.write_text("".join(f"{name} {token}\n" for name, token in TOKENS.items()))
    settings = read_settings(
        state_dir=tmp_path / "state", fleet_database_url=url, token_file=tokens, reviews_max=100
    )
    return create_app(settings, poll=False, clock=clock)


def read_batch(url: str, name: str, smiles: tuple[str | None, ...]) -> None:
    queue = queue_at(url)
    names = [f"{number}.png" for number in range(len(smiles))]
    queue.add_directories(queue.add_batch(name, f"/{name}"), [("d", names)], 200)
    held = claim(queue)
    made = [
        Result(
            number, text, ("C",) if text else (), (LEAST[number % 3],) if text else (),
            error=None if text is not None else "BlankImage: grey", sha256=file_hash(number),
        )
        for number, text in enumerate(smiles)
    ]  # fmt: skip
    queue.finish(queue.store(held, made), Usage())
    queue.close()


def one(number: int = 0, verdict: str = "right", **more: Any) -> dict[str, Any]:
    return {"chunk": 1, "number": number, "smiles": SMILES[number], "verdict": verdict, **more}


def post(app: Flask, *reviews: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    sent = proof() if headers is None else headers
    return app.test_client().post("/api/reviews", json={"reviews": list(reviews)}, headers=sent)


def delete(app: Flask, number: int, headers: dict[str, str] | None = None) -> Any:
    sent = proof() if headers is None else headers
    return app.test_client().delete(f"/api/reviews/{number}", headers=sent)


def listed(app: Flask) -> list[tuple[str, str, str | None, str]]:
    answer = app.test_client().get("/api/reviews")
    assert (answer.status_code, answer.mimetype) == (200, "application/jsonl")
    reviews = [read_line(line) for line in answer.text.splitlines()]
    return [(one.smiles, one.verdict, one.corrected_smiles, one.reviewer) for one in reviews]


def test_a_review_is_kept_with_who_gave_it_and_when(app: Flask) -> None:
    assert listed(app) == []
    answer = post(app, one(), one(1, "wrong"), one(2, "corrected", corrected_smiles=" CN "))
    assert answer.status_code == 201, answer.text
    assert answer.json["reviews"][0] == {
        "number": 1, "image_hash": file_hash(0), "smiles": "CCO", "verdict": "right",
        "corrected_smiles": None, "reviewer": "anna", "reviewed_at": NOW + 20.0,
    }  # fmt: skip
    assert listed(app) == [
        ("CCO", "right", None, "anna"),
        (SMILES[1], "wrong", None, "anna"),
        (SMILES[2], "corrected", "CN", "anna"),
    ]
    assert "<img" not in answer.text + app.test_client().get("/api/reviews").text


def test_what_the_page_shows_of_an_answer_names_it_too(app: Flask) -> None:
    assert post(app, one(2) | {"smiles": "C\ufffdN\ufffd"}).status_code == 201
    assert listed(app) == [("C\u202eN\x07", "right", None, "anna")]


def test_only_with_a_proof_and_from_no_other_site(app: Flask) -> None:
    refused = [
        post(app, one(), headers={}),
        post(app, one(), headers={**proof(), "Origin": "https://evil.example"}),
        post(app, one(), headers={**proof(), "Sec-Fetch-Site": "cross-site"}),
    ]
    assert [answer.status_code for answer in refused] == [401, 403, 403]
    assert post(app, one()).status_code == 201
    assert [delete(app, 1, headers={}).status_code, len(listed(app))] == [401, 1]


def test_where_nobody_is_known_nothing_is_reviewed(app: Flask, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
    answer = post(create_app(settings, poll=False, clock=clock), one(), headers={})
    assert (answer.status_code, answer.json["error"]["code"]) == (403, "changes_off")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"number": 9}, 404, "result_unknown"),
        ({"smiles": "CCN"}, 409, "answer_changed"),
        ({"number": 3}, 409, "no_answer"),
        ({"number": 4}, 409, "no_answer"),
        ({"verdict": "maybe"}, 400, "body_refused"),
        ({"verdict": "corrected"}, 400, "body_refused"),
        ({"corrected_smiles": "C"}, 400, "body_refused"),
        ({"verdict": "corrected", "corrected_smiles": " "}, 400, "body_refused"),
        ({"verdict": "corrected", "corrected_smiles": "C\nN"}, 400, "body_refused"),
        ({"verdict": "corrected", "corrected_smiles": "C\u202eN"}, 400, "body_refused"),
        ({"verdict": "corrected", "corrected_smiles": "C" * 4001}, 400, "body_refused"),
        ({"verdict": "corrected", "corrected_smiles": " CCO"}, 400, "body_refused"),
        ({"reviewer": "bert"}, 400, "body_refused"),
        ({"chunk": -1}, 400, "body_refused"),
        ({"replaces": 7}, 409, "reviewed_meanwhile"),
    ],
)
def test_what_cannot_be_is_refused_with_all_that_came_along(
    app: Flask, change: dict[str, Any], status: int, code: str
) -> None:
    answer = post(app, one(1), one() | change)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert listed(app) == []


def test_nothing_that_somebody_said_meanwhile_is_passed_over(app: Flask) -> None:
    first = post(app, one(replaces=None)).json["reviews"][0]["number"]
    refused = post(app, one(verdict="wrong", replaces=None), headers=proof("bert"))
    assert (refused.status_code, refused.json["error"]["message"]) == (
        409, "anna reviewed it meanwhile: right",
    )  # fmt: skip
    second = post(app, one(verdict="wrong", replaces=first), headers=proof("bert"))
    assert second.status_code == 201
    assert delete(app, first).json["error"]["message"] == "bert reviewed it meanwhile: wrong"
    assert listed(app) == [("CCO", "wrong", None, "bert")]
    taken = delete(app, second.json["reviews"][0]["number"])
    assert (taken.json["review"]["reviewer"], listed(app)) == ("anna", [("CCO", "right", None, "anna")])
    assert delete(app, first).json == {"review": None}
    assert delete(app, first).status_code == 404
    assert delete(app, 2**70).status_code == 404
    assert listed(app) == []


def test_changes_are_told_to_the_log_by_name(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cloud_monitor.audit")
    post(app, one(verdict="corrected", corrected_smiles="CCN"))
    delete(app, 1)
    told = f"{file_hash(0)[:12]} CCO: corrected, it is CCN"
    assert [record.getMessage().partition(") ")[2] for record in caplog.records] == [
        f"reviewed {told}",
        f"took back review 1: {told}",
    ]


def test_as_many_as_may_be(app: Flask, tmp_path: Path) -> None:
    read_batch(f"sqlite:///{tmp_path}/queue.db", "many", tuple(f"C{number}" for number in range(101)))
    shared = {"chunk": 2, "verdict": "right"}
    many = [shared | {"number": number, "smiles": f"C{number}"} for number in range(101)]
    answers = [post(app, *many[start : start + 50]) for start in (0, 50, 100)]
    assert [answer.status_code for answer in answers] == [201, 201, 507]
    assert "WEBAPP_REVIEWS_MAX" in answers[2].json["error"]["message"]
    assert len(listed(app)) == 100


def test_agreement_of_a_batch_and_of_one_that_was_read_again(app: Flask, tmp_path: Path) -> None:
    post(app, one(), one(1, "wrong"), one(2, "corrected", corrected_smiles="CN"))
    read_batch(f"sqlite:///{tmp_path}/queue.db", "again", ("CCO", "other"))

    def agreement(name: str) -> list[tuple[int, int]]:
        answer = app.test_client().get(f"/api/batches/{name}/agreement")
        return [(band["reviewed"], band["right"]) for band in answer.json["bands"]]

    assert agreement("a/b%20%3Ci%3E") == [(1, 1), (1, 0), (0, 0), (0, 0), (0, 0), (1, 0)]
    assert agreement("again") == [(1, 1), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0)]
    for name in ("none", "%00"):
        assert app.test_client().get(f"/api/batches/{name}/agreement").status_code == 404


ADDRESS = "/fleet/batches/a/b%20%3Ci%3E"


def test_pages_show_what_was_said_and_how_often_answers_are_right(app: Flask) -> None:
    post(app, one(), one(1, "corrected", corrected_smiles="<b>x"), one(2, "wrong"))
    page, single = (app.test_client().get(path).text for path in (ADDRESS, "/fleet/results/1/1"))
    for text in ("✓ right", "✎ corrected", "✗ wrong", "&lt;b&gt;x", "1 of 1, few", "0 of 1, few"):
        assert text in page
    assert "✎ corrected" in single
    assert "<b>x" not in page + single
    assert "Reviewing is off" not in page + single
    first = app.test_client().get(ADDRESS)
    known = {"If-None-Match": first.headers["ETag"]}
    assert app.test_client().get(ADDRESS, headers=known).status_code == 304
    delete(app, 1)
    assert app.test_client().get(ADDRESS, headers=known).status_code == 200


def test_a_list_is_chosen_by_reviews(app: Flask) -> None:
    post(app, one(), one(1, "wrong"))

    def numbers(review: str) -> list[int]:
        query = {"batch": BATCH, "review": review}
        found = app.test_client().get("/api/results", query_string=query)
        return [result["number"] for result in found.json["results"]]

    assert [numbers(review) for review in ("", "reviewed", "unreviewed", "right", "wrong")] == [
        [0, 1, 2], [0, 1], [2], [0], [1],
    ]  # fmt: skip
    assert app.test_client().get(f"{ADDRESS}?review=maybe").status_code == 400
    neighbours = app.test_client().get("/api/results/1/1?review=unreviewed").json
    assert (neighbours["previous"], neighbours["next"]) == (None, {"chunk": 1, "number": 2})
    neighbours = app.test_client().get("/api/results/1/2?review=reviewed").json
    assert (neighbours["previous"], neighbours["next"]) == ({"chunk": 1, "number": 1}, None)


@pytest.mark.parametrize(
    ("users", "login", "told"),
    [
        (set(), "", "nobody is known here: WEBAPP_TOKEN_FILE or WEBAPP_REMOTE_USERS says who may"),
        ({"anna"}, "", "log in at the web server first"),
        ({"anna"}, "bert", "bert may look only: WEBAPP_REMOTE_USERS does not name that login"),
        ({"anna"}, "anna", ""),
        ({"*"}, "bert", ""),
        ({"*"}, "", "log in at the web server first"),
    ],
)
def test_buttons_are_there_for_whom_they_work(
    app: Flask, tmp_path: Path, users: set[str], login: str, told: str
) -> None:
    settings = read_settings(
        state_dir=tmp_path / "state", fleet_database_url=f"sqlite:///{tmp_path}/queue.db", remote_users=users
    )
    client = create_app(settings, poll=False, clock=clock).test_client()
    page = client.get(ADDRESS, environ_overrides={"REMOTE_USER": login}).text
    assert ("data-say" in page, "correct-dialog" in page) == (not told, not told)
    assert ("Reviewing is off" in page) == bool(told)
    assert told in page


def test_pages_are_shown_without_reviews_that_cannot_be_read(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "state" / FILE_NAME).mkdir()
    for path in (ADDRESS, "/fleet/results/1/1"):
        answer = app.test_client().get(path)
        assert (answer.status_code, "Reviews cannot be shown" in answer.text) == (200, True)
    assert app.test_client().get(f"{ADDRESS}?review=right").status_code == 503


def test_reviews_that_cannot_be_read_are_not_told_as_none(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "state" / FILE_NAME).mkdir()
    for path in ("/api/reviews", "/api/batches/a/b%20%3Ci%3E/agreement"):
        answer = app.test_client().get(path)
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "cannot_read"), path
    assert post(app, one()).status_code == 503


def test_without_a_queue_there_is_nothing_to_review(tmp_path: Path) -> None:
    write_sample(tmp_path)
    (tmp_path / "tokens").write_text(f"anna {TOKENS['anna']}\n")
    settings = read_settings(state_dir=tmp_path, token_file=tmp_path / "tokens")
    answer = post(create_app(settings, poll=False, clock=clock), one())
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "fleet_off")
