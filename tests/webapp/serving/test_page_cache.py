"""Kept bytes: when they are new, when they are not sent again, and how they are packed."""

from __future__ import annotations

import gzip
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.webapp.sample import write_sample
from webapp import create_app
from webapp.model.snapshot_view import SnapshotView
from webapp.poll.current import EXTENSION
from webapp.poll.state_files import read_outcome, write_outcome
from webapp.serving.page_cache import cached_response
from webapp.settings import Settings

MINUTE = 1_800_000_000


class Clock:
    now: float = MINUTE + 25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(tmp_path: Path, clock: Clock) -> Flask:
    write_sample(tmp_path, MINUTE + 20.5)
    return create_app(Settings(state_dir=tmp_path), poll=False, clock=clock)


def etag_of(client: FlaskClient, path: str = "/api/status") -> str:
    return client.get(path).headers["ETag"]


def test_the_etag_holds_within_a_minute_and_saves_the_body(app: Flask, clock: Clock) -> None:
    client = app.test_client()
    etag = etag_of(client)
    clock.now = MINUTE + 59.9
    answer = client.get("/api/status", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", etag)


def test_a_new_minute_a_new_outcome_and_a_new_snapshot_change_it(
    app: Flask, clock: Clock, tmp_path: Path
) -> None:
    client = app.test_client()
    latest = app.extensions[EXTENSION]
    seen = [etag_of(client)]
    clock.now = MINUTE + 60
    seen.append(etag_of(client))
    write_outcome(
        tmp_path, replace(read_outcome(tmp_path), finished_at=MINUTE + 81.0, error="no", failures=1)
    )
    latest.reload()
    seen.append(etag_of(client))
    write_sample(tmp_path, MINUTE + 82)
    latest.reload()
    seen.append(etag_of(client))
    assert len(set(seen)) == 4


def test_all_processes_agree(app: Flask, clock: Clock, tmp_path: Path) -> None:
    other = create_app(Settings(state_dir=tmp_path), poll=False, clock=clock)
    mine, others = app.test_client().get("/api/status"), other.test_client().get("/api/status")
    assert mine.headers["ETag"] == others.headers["ETag"]
    assert mine.data == others.data


def test_ages_go_on_while_nothing_new_comes(app: Flask, clock: Clock) -> None:
    client = app.test_client()
    assert client.get("/api/status").json["age_s"] == 0
    clock.now = MINUTE + 600
    answer = client.get("/api/status").json
    assert answer["age_s"] == 579.5
    assert {value["freshness"] for value in answer["values"].values()} == {"stale"}


def test_a_page_under_another_prefix_is_another_page(app: Flask) -> None:
    client = app.test_client()
    at_top = client.get("/").text
    below = client.get("/", environ_overrides={"SCRIPT_NAME": "/grids-page"}).text
    assert 'href="/grids-page/static/' in below
    assert "/grids-page/" not in at_top
    assert client.get("/").text == at_top


def test_what_is_ready_has_every_header_that_the_first_answer_had(app: Flask) -> None:
    client = app.test_client()
    first, ready = client.get("/"), client.get("/")
    assert sorted(first.headers) == sorted(ready.headers)
    assert first.data == ready.data
    assert client.head("/").headers["ETag"] == first.headers["ETag"]


def test_gzip_is_sent_to_those_that_take_it(app: Flask) -> None:
    client = app.test_client()
    plain = client.get("/api/status")
    packed = client.get("/api/status", headers={"Accept-Encoding": "br, gzip"})
    assert plain.headers.get("Content-Encoding") is None
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.data) == plain.data
    assert json.loads(plain.data)["grids"]


def test_a_page_is_rendered_once_however_many_ask_at_once(app: Flask) -> None:
    rendered: list[int] = []

    def render(view: SnapshotView) -> str:
        rendered.append(view.as_of)
        return "x" * 1000

    app.add_url_rule("/slow", view_func=lambda: cached_response(render))
    threads = [threading.Thread(target=app.test_client().get, args=("/slow",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rendered) == 1


def test_a_page_that_cannot_be_rendered_is_tried_again(app: Flask) -> None:
    tries: list[int] = []

    def render(view: SnapshotView) -> str:
        tries.append(view.as_of)
        if len(tries) == 1:
            raise RuntimeError("secret detail")
        return "fine"

    app.add_url_rule("/flaky", view_func=lambda: cached_response(render))
    client = app.test_client()
    first = client.get("/flaky")
    assert first.status_code == 500
    assert b"secret" not in first.data
    assert b"Traceback" not in first.data
    assert client.get("/flaky").data == b"fine"


@pytest.mark.parametrize(
    ("accept_encoding", "is_packed"),
    [
        ("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("GZIP", True), ("x-gzip", True),
        ("", False), ("br", False), ("gzip;q=0", False), ("gzip; q=0.000, *", False), ("*;q=0", False),
        ("notgzip", False),
    ],
)  # fmt: skip
def test_gzip_is_for_those_that_accept_it(app: Flask, accept_encoding: str, is_packed: bool) -> None:
    answer = app.test_client().get("/api/status", headers={"Accept-Encoding": accept_encoding})
    assert (answer.headers.get("Content-Encoding") == "gzip") is is_packed


def test_only_what_the_proxy_sets_counts(tmp_path: Path) -> None:
    visitor = {"X-Forwarded-Prefix": "//evil.example", "X-Forwarded-Host": "evil.example"}
    settings = Settings(state_dir=tmp_path, trusted_proxies=1)
    client = create_app(settings, poll=False).test_client()
    for headers in ({}, visitor):
        answer = client.get("/", headers=headers)
        assert b"evil" not in answer.data
    prefixed = create_app(settings.model_copy(update={"trusted_headers": ("prefix",)}), poll=False)
    client = prefixed.test_client()
    plain, below = client.get("/"), client.get("/", headers={"X-Forwarded-Prefix": "/monitor"})
    assert b'"/monitor/static/' in below.data
    assert plain.headers["ETag"] != below.headers["ETag"]
    again = client.get("/", headers={"If-None-Match": below.headers["ETag"]})
    assert again.status_code == 200
