"""Hostile text in every field of a list and every part of an address: shown as text, or refused."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.services.short import some
from tests.webapp.listings import job, listing, put_list, sample_list, vm, write_token
from tests.webapp.sample import NOW, clock, write_sample
from webapp import create_app
from webapp.serving.middleware import CONTENT_SECURITY_POLICY
from webapp.settings import Settings

HOSTILE: list[str] = json.loads((Path(__file__).parents[2] / "data/web/hostile.json").read_text())
MORE = [
    "Error from slot1@vm: </td></tr></table><script>alert(1)</script>",
    "\u202egpj.exe",
    "a\u0000b",
    "line one\nline two\r\nSet-Cookie: a=b",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "' OR 1=1 --",
    '"; DROP TABLE items; --',
    "%' OR '1'='1",
    "javascript:alert(1)",
    "data:text/html,<script>",
    "\\u003cscript\\u003e",
    "<!--",
    "]]>",
    "&lt;script&gt;",
    "\ufeff",
    "\u2028\u2029",
    "x" * 300,
    "é" * 300,
    "/../../etc/passwd",
    "..",
    ".",
    "//evil.example",
    "?part=cells",
    "#",
    "a/b/c",
    "%2e%2e%2f",
    "\ud7ff\ue000",
]
ALL_TEXTS = [text for text in dict.fromkeys([*HOSTILE, *MORE]) if 0 < len(text) <= 300]
TEXTS = some(ALL_TEXTS)
VM_TEXTS = ("host", "name", "machine")
JOB_TEXTS = ("id", "schedd", "user", "group", "host", "last_host", "hold_reason")


CHECKED: set[str] = set()  # pages: what has no meaning in an address gives the same one again


class Page(HTMLParser):
    """What a browser would make of a page: its elements' names and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def updatepos(self, i: int, j: int) -> int:
        return j  # lines are counted for nobody

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def check_safe(html: str, where: str) -> None:
    """Only the page's own elements: nothing inline, no script but its own, no address of another kind."""
    if html in CHECKED:
        return
    for tag, attributes in Page(html).found:
        assert tag not in ("img", "iframe", "object", "embed", "style", "base", "math", "video"), (where, tag)
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (where, tag)
        if tag == "script":
            assert (attributes["src"] or "").startswith("/static/"), where
        address = attributes.get("href") or attributes.get("src") or ""
        assert re.match(r"/(?!/)|\?|#|https://grafana\.example\.org/|\Z", address), (where, address)
    CHECKED.add(html)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    folder = tmp_path_factory.mktemp("state")
    write_sample(folder)
    links = [{"name": "Logs", "url": "https://grafana.example.org/?h={host}&j={job}"}]
    settings = Settings.model_validate(
        {"state_dir": folder, "inventory_token_file": write_token(folder), "links": links}
    )
    app = create_app(settings, poll=False, clock=clock)
    put_list(app, "atlas", sample_list())
    vms = [
        vm("placeholder", status="error" if place % 7 == 0 else "running") | {field: text}
        for field in VM_TEXTS
        for place, text in enumerate(TEXTS)
    ]
    jobs = [
        job(f"{number}.{place}", "held", hold_code=34) | {field: text}
        for number, field in enumerate(JOB_TEXTS)
        for place, text in enumerate(TEXTS)
    ]
    assert put_list(app, "belle", listing(NOW, vms, jobs)).status_code == 204
    return app


def test_there_are_many_of_them() -> None:
    assert len(ALL_TEXTS) * (len(VM_TEXTS) + len(JOB_TEXTS)) > 1000


@pytest.mark.parametrize("kind", ["vms", "jobs"])
def test_every_text_is_shown_as_text_on_lists_and_on_pages_of_its_own(app: Flask, kind: str) -> None:
    client = app.test_client()
    keys, page = [], 1
    while True:
        html = client.get(f"/grids/belle/{kind}?page={page}").text
        check_safe(html, f"{kind} {page}")
        links = [
            attributes["href"]
            for tag, attributes in Page(html).found
            if tag == "a" and (attributes.get("href") or "").startswith(f"/grids/belle/{kind}/")
        ]
        keys += links
        if 'rel="next"' not in html:
            break
        page += 1
    fields = VM_TEXTS if kind == "vms" else JOB_TEXTS
    assert len(keys) == len(TEXTS) * len(fields)
    for link in keys[::3]:
        assert link is not None
        answer = client.get(link)
        # "." and ".." are steps in an address, whoever writes them
        assert answer.status_code in (200, 308) or re.search(r"/\.{1,2}(/|\Z)|//", link), (
            link,
            answer.status_code,
        )
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        if answer.status_code == 200:
            check_safe(answer.text, link)


def test_a_clouds_page_shows_them_as_text(app: Flask) -> None:
    check_safe(app.test_client().get("/grids/belle/clouds/cern").text, "cloud")


def test_refreshes_and_the_interface_carry_them_as_json(app: Flask) -> None:
    client = app.test_client()
    for path in (
        "/grids/belle/vms?part=cells",
        "/grids/belle/jobs?part=body",
        "/api/vms",
        "/api/jobs?limit=5000",
    ):
        answer = client.get(path)
        assert answer.content_type == "application/json"
        json.loads(answer.data)
    shown = json.dumps(client.get("/api/jobs?grid=belle&limit=5000").json, ensure_ascii=False)
    assert not re.search("[\u0000\u202a-\u202e\u2066-\u2069\u2028\u2029]", shown)


def queries(client: FlaskClient, path: str, names: tuple[str, ...]) -> None:
    for name in names:
        others = "grid=atlas&" if path.startswith("/api/") and name != "grid" else ""  # a short list
        for text in [*TEXTS[::3], "", "x" * 5000, "9" * 40, "-1", "1e9"]:
            answer = client.get(f"{path}?{others}{name}={quote(text, safe='')}")
            assert answer.status_code in (200, 400, 404), (path, name, text)
            if answer.content_type.startswith("text/html"):
                check_safe(answer.text, f"{name}={text}")
            else:
                assert "<script" not in answer.text
                assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", ["/grids/atlas/vms", "/grids/atlas/jobs", "/api/vms", "/api/jobs"])
def test_every_part_of_an_address(app: Flask, path: str) -> None:
    names = ("cloud", "type", "status", "text", "sort", "page", "part", "limit", "grid")
    queries(app.test_client(), path, names)


@pytest.mark.parametrize(
    "rule",
    [
        "/grids/{}/vms",
        "/grids/{}/jobs/1.0",
        "/grids/atlas/vms/{}",
        "/grids/atlas/jobs/{}",
        "/api/inventory/{}",
    ],
)
def test_every_name_in_a_path(app: Flask, rule: str) -> None:
    for text in TEXTS:
        answer = app.test_client().get(rule.format(quote(text, safe="")))
        assert answer.status_code in (302, 308, 400, 401, 404), (rule, text)
        assert "<script" not in answer.text


def test_statements_in_texts_are_not_run(app: Flask) -> None:
    """After all that was asked above, everything is still there."""
    counts = {kind: app.test_client().get(f"/api/{kind}?limit=1").json["grids"] for kind in ("vms", "jobs")}
    assert [grid["found"] for grid in counts["vms"]] == [12, len(TEXTS) * len(VM_TEXTS)]
    assert [grid["found"] for grid in counts["jobs"]] == [4, len(TEXTS) * len(JOB_TEXTS)]
