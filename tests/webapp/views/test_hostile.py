"""Hostile values on every parameter of every route: no fault, no traceback, no echo that a browser runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.routing import Rule

from cloud_monitor.metrics.paths import parse_path
from tests.services.proxy import Proxy, run_proxy
from tests.services.short import examples, some
from tests.webapp.sample import NOW, clock, write_sample
from webapp import create_app
from webapp.serving.middleware import CONTENT_SECURITY_POLICY
from webapp.settings import Settings

GOOD = {
    "target": "grids.belle.jobs.all.idle",
    "from": "-1h",
    "until": "now",
    "points": "100",
    "format": "csv",
    "tz": "UTC",
    "step": "60",
    "part": "cells",
    "sort": "name",
}
HOSTILE: list[str] = json.loads((Path(__file__).parents[2] / "data/web/hostile.json").read_text())


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with run_proxy() as service:
        service.mode = "empty"
        yield service


@pytest.fixture(scope="module")
def app(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    state_dir = tmp_path_factory.mktemp("state")
    write_sample(state_dir)
    return create_app(Settings(graphite_url=proxy.url, state_dir=state_dir), poll=False, clock=clock)


def routes(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]


def check(app: Flask, proxy: Proxy, url: str) -> None:
    proxy.passed.clear()
    answer = app.test_client().get(url)
    body = answer.get_data(as_text=True)
    closed = {403} if url.startswith("/api/submit-sources") else set()  # nobody is known here
    assert answer.status_code in {200, 301, 304, 308, 400, 404} | closed, (url, answer.status_code)
    assert "Traceback" not in body
    assert "<script>alert" not in body
    assert "<img src=x" not in body
    assert "<svg/onload" not in body
    bare = "default-src 'none'; sandbox; frame-ancestors 'none'"  # of pictures that others made
    expected = bare if url.startswith("/fleet/pictures/") else CONTENT_SECURITY_POLICY
    assert answer.headers["Content-Security-Policy"] == expected
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    assert {request.path for request in proxy.passed} <= {"/render"}


def test_there_are_a_few_hundred_tries(app: Flask) -> None:
    assert len(set(HOSTILE)) > 120
    assert len(routes(app)) > 10


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("path", ["/api/series", "/export"])
def test_every_query_parameter(app: Flask, proxy: Proxy, path: str, name: str) -> None:
    for text in some(HOSTILE):
        query = "&".join(
            f"{key}={quote(text if key == name else good, safe='')}" for key, good in GOOD.items()
        )
        check(app, proxy, f"{path}?{query}")


def test_every_place_in_every_path(app: Flask, proxy: Proxy) -> None:
    for rule in routes(app):
        for place in rule.arguments:
            for text in some(HOSTILE):
                url = rule.rule
                for other in rule.arguments:
                    for opening in (f"<{other}>", f"<path:{other}>"):
                        url = url.replace(opening, quote(text, safe="") if other == place else "belle")
                check(app, proxy, url)


def test_every_page_takes_any_query(app: Flask, proxy: Proxy) -> None:
    for rule in routes(app):
        if rule.arguments:
            continue
        for text in some(HOSTILE[::4]):
            value = quote(text, safe="")
            check(app, proxy, f"{rule.rule}?part={value}&target={value}&from={value}&{value}={value}")


@given(st.lists(st.text(max_size=40), max_size=3), st.text(max_size=20), st.text(max_size=20))
@settings(
    max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_reaches_graphite_is_built_of_checked_paths(
    app: Flask, proxy: Proxy, targets: list[str], start: str, end: str
) -> None:
    proxy.passed.clear()
    query = {"target": [GOOD["target"], *targets], "from": start, "until": end}
    app.test_client().get("/api/series", query_string=query)
    if proxy.passed:
        for target in targets:
            parse_path(target.replace("*", "0"))


def test_too_many_and_too_long_are_refused(app: Flask) -> None:
    client = app.test_client()
    many = [f"grids.g{number}.jobs.all.idle" for number in range(51)]
    assert client.get("/api/series", query_string={"target": many}).status_code == 400
    long = {"target": GOOD["target"], "from": NOW - 4000 * 86400, "until": "now"}
    assert client.get("/api/series", query_string=long).status_code == 400
    assert (
        client.get("/api/series", query_string={"target": GOOD["target"], "points": 5001}).status_code == 400
    )


def test_nothing_changes_anything_without_a_proof(app: Flask) -> None:
    """What changes something is in openapi.json with the proof it asks for; all else is refused."""
    client = app.test_client()
    document = client.get("/api/openapi.json").get_json()["paths"]
    for rule in routes(app):
        if not rule.arguments:
            for method in ("post", "put", "delete", "patch"):
                described = document.get(rule.rule, {}).get(method)
                if described is not None:
                    assert described["security"], (method, rule.rule)
                refused = 405 if described is None else 403  # nobody may, as no way of proving it is set up
                assert getattr(client, method)(rule.rule).status_code == refused, (method, rule.rule)


def test_a_fault_shows_nothing_of_itself(app: Flask, tmp_path: Path) -> None:
    broken = create_app(Settings(state_dir=tmp_path), poll=False, clock=clock)

    def fail() -> str:
        raise RuntimeError("password in /etc/secret")

    broken.add_url_rule("/broken", view_func=fail)
    broken.add_url_rule("/api/broken", endpoint="other", view_func=fail)
    for path in ("/broken", "/api/broken"):
        answer = broken.test_client().get(path)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "RuntimeError" not in answer.text
