"""Who may change something: tokens with names, the web server's login, and no page of another site."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response

from tests.webapp.sample import clock
from webapp import create_app
from webapp.serving.identity import audit, identify, read_change, tokens_by_name
from webapp.settings import Settings

ANNA, BEN, NEW = "anna-s-token-0123456789", "ben-s-token-0123456789", "anna-s-new-token-0123"
PATH = "/api/test/changes"


def app_of(state_dir: Path, **given: Any) -> Flask:
    """The page with one thing that can be changed."""
    app = create_app(Settings(state_dir=state_dir, **given), poll=False, clock=clock)

    @app.post(PATH)
    def change() -> Response:
        who = identify()
        asked = read_change()
        audit(who, "changed", str(asked.get("what")))
        return Response(f"{who.name} by {who.proven_by}")

    return app


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    file = tmp_path / "tokens"
    file.write_text(f"# who may\nanna {ANNA}\n\nben {BEN}\nanna {NEW}\n")
    return app_of(tmp_path, token_file=file)


def post(app: Flask, token: str | None = None, login: str = "", **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    return app.test_client().post(
        PATH,
        json={"what": "it\x1b[2J"},
        headers=sent,
        environ_overrides={"REMOTE_USER": login} if login else {},
    )


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]["code"]


def test_each_token_has_a_name_and_one_name_may_have_two(app: Flask) -> None:
    assert [post(app, token).text for token in (ANNA, BEN, NEW)] == [
        "anna by token",
        "ben by token",
        "anna by token",
    ]


def test_a_change_is_told_in_the_log_with_who_made_it(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cloud_monitor.audit")
    post(app, BEN)
    assert [record.getMessage() for record in caplog.records] == [
        "ben (by token, from 127.0.0.1) changed it\ufffd[2J"
    ]
    assert BEN not in caplog.text


@pytest.mark.parametrize("token", ["", "x", ANNA[:-1], ANNA + "x", f"anna {ANNA}", "é\x00", "# who", "anna"])
def test_another_word_is_no_proof(app: Flask, token: str) -> None:
    answer = post(app, token)
    assert refusal(answer) == (401, "token_refused")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_without_any_proof_it_says_what_is_needed(app: Flask) -> None:
    answer = post(app)
    assert refusal(answer) == (401, "proof_missing")
    assert "Authorization: Bearer TOKEN" in answer.text
    assert "login" not in answer.text
    assert refusal(post(app, Authorization=f"Basic {ANNA}")) == (401, "proof_missing")


def test_a_changed_file_counts_at_once(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"carol {BEN}\n")
    assert post(app, BEN).text == "carol by token"
    assert refusal(post(app, ANNA)) == (401, "token_refused")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("anna short\n", "line 1: a token has 16 characters or more"),
        (f"anna {ANNA}\n{BEN}\n", "line 2 is not `NAME TOKEN`"),
        (f"anna {ANNA} {BEN}\n", "line 1 is not `NAME TOKEN`"),
        (" \n", "WEBAPP_TOKEN_FILE is empty"),
    ],
)
def test_a_file_that_is_not_understood_lets_nobody_in(
    app: Flask, tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "tokens").write_text(text)
    answer = post(app, ANNA)
    assert refusal(answer) == (503, "token_unreadable")
    assert told in answer.text
    assert ANNA not in answer.text
    assert BEN not in answer.text


def test_a_file_that_is_not_there_is_named(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "tokens").unlink()
    answer = post(app, ANNA)
    assert refusal(answer) == (503, "token_unreadable")
    assert "No such file" in answer.text
    assert str(tmp_path) not in answer.text


def test_nothing_can_be_changed_where_nobody_may(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    assert refusal(post(app)) == (403, "changes_off")
    assert refusal(post(app, ANNA)) == (403, "changes_off")
    assert refusal(post(app, login="anna")) == (403, "changes_off")


def test_a_login_counts_only_where_it_is_named(app: Flask, tmp_path: Path) -> None:
    assert refusal(post(app, login="anna")) == (401, "proof_missing")  # tokens alone are configured
    named = app_of(tmp_path, remote_users="anna, ben")
    assert post(named, login="anna").text == "anna by login"
    assert refusal(post(named, login="carol")) == (403, "user_refused")
    assert refusal(post(named)) == (401, "proof_missing")
    anybody = app_of(tmp_path, remote_users="*")
    assert post(anybody, login="carol@EXAMPLE.ORG").text == "carol@EXAMPLE.ORG by login"
    assert refusal(post(anybody, login="two words")) == (403, "user_refused")
    assert refusal(post(anybody)) == (401, "proof_missing")


def test_no_header_of_a_visitor_is_a_login(tmp_path: Path) -> None:
    app = app_of(tmp_path, remote_users="*")
    for name in ("Remote-User", "Remote_User", "X-Remote-User", "X-Forwarded-User"):
        assert refusal(post(app, **{name: "anna"})) == (401, "proof_missing"), name


def test_a_token_that_is_wrong_is_refused_whoever_is_logged_in(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"robot {BEN}\n")
    app = app_of(tmp_path, token_file=file, remote_users="anna")
    assert post(app, BEN, login="anna").text == "robot by token"
    assert refusal(post(app, ANNA, login="anna")) == (401, "token_refused")
    assert "Bearer TOKEN" in post(app).text
    assert "login" in post(app).text


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({}, True),
        ({"Sec_Fetch_Site": "same-origin"}, True),
        ({"Sec_Fetch_Site": "same-origin", "Origin": "https://behind.a.proxy"}, True),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        ({"Sec_Fetch_Site": "same-site", "Origin": "http://localhost"}, False),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "http://localhost:8080"}, False),
        ({"Origin": "http://localhost.evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
    ],
)
def test_a_page_of_another_site_changes_nothing(
    tmp_path: Path, headers: Mapping[str, str], is_ours: bool
) -> None:
    answer = post(app_of(tmp_path, remote_users="anna"), login="anna", **headers)
    assert answer.text == "anna by login" if is_ours else refusal(answer) == (403, "other_site")


@pytest.mark.parametrize(
    ("content_type", "body", "refused"),
    [
        ("application/x-www-form-urlencoded", "what=it", (415, "type_refused")),
        ("text/plain", '{"what": 1}', (415, "type_refused")),
        ("", '{"what": 1}', (415, "type_refused")),
        ("application/json", "what=it", (400, "body_refused")),
        ("application/json", "[1]", (400, "body_refused")),
        ("application/json", "[" * 60_000, (400, "body_refused")),
        ("application/json", " " * 70_000, (413, "request_entity_too_large")),
    ],
)
def test_a_change_is_a_small_json_object(
    app: Flask, content_type: str, body: str, refused: tuple[int, str]
) -> None:
    headers = {"Authorization": f"Bearer {ANNA}"}
    answer = app.test_client().post(PATH, data=body, content_type=content_type, headers=headers)
    assert refusal(answer) == refused


def test_a_name_or_a_token_that_is_no_word_is_refused() -> None:
    for line in (b"na\x1bme " + ANNA.encode(), b"a" * 81 + b" " + ANNA.encode()):
        with pytest.raises(ValueError, match="line 1 is not"):
            list(tokens_by_name(line))
