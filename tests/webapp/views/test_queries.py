"""`/queries`: links that answer, at a real Prometheus and a real VictoriaMetrics; without one no link."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from tests.services import ask
from tests.services.prometheus import run_prometheus
from tests.services.support import free_port
from tests.services.victoriametrics import VictoriaMetrics
from tests.webapp.sample import clock, write_sample
from webapp import create_app
from webapp.pages.queries import AS_JSON, GROUPS, query_address
from webapp.settings import read_settings

ROOT = Path(__file__).resolve().parents[3]
QUERIES = [query for group in GROUPS for query in group.queries]


def page(folder: Path, url: str) -> str:
    write_sample(folder)
    app = create_app(read_settings({}, state_dir=folder, prometheus_url=url), poll=False, clock=clock)
    answer = app.test_client().get("/queries")
    assert answer.status_code == 200
    assert '<a href="/queries" aria-current="page">Queries</a>' in answer.text
    return answer.text


def links(text: str, url: str) -> list[str]:
    found = [unescape(address) for address in re.findall(r'<dt><a href="([^"]+)"', text)]
    assert all(address.startswith(f"{url}/") for address in found)
    return found


def check_queries(url: str) -> None:
    for query in QUERIES:
        answer = ask.get(query_address(url, AS_JSON, query.promql))
        assert answer.json()["status"] == "success", (query, answer.text)


def test_each_link_leads_to_a_page_of_prometheus_that_is_there(tmp_path: Path) -> None:
    with run_prometheus(tmp_path / "prometheus") as url:
        found = links(page(tmp_path / "page", url), url)
        assert len(found) == len(QUERIES)
        assert all("graph?g0.expr=" in address for address in found)
        assert [ask.get(address).status_code for address in found] == [200] * len(QUERIES)
        assert 'id="graph' in ask.get(found[0]).text or "root" in ask.get(found[0]).text
        check_queries(url)


def test_where_there_is_no_page_of_queries_the_links_answer_as_json(
    tmp_path: Path, victoriametrics: VictoriaMetrics
) -> None:
    """Debian's VictoriaMetrics has no vmui; another one's is led to."""
    url = victoriametrics.url
    has_vmui = ask.get(f"{url}/vmui/").status_code == 200
    text = page(tmp_path, url)
    found = links(text, url)
    assert len(found) == len(QUERIES)
    assert ("/vmui/#/?g0.expr=" if has_vmui else "/api/v1/query?query=") in found[0]
    assert ("the links show its answers as JSON" in text) != has_vmui
    assert [ask.get(address).status_code for address in found] == [200] * len(QUERIES)
    check_queries(url)


def test_without_an_answer_there_is_no_link_but_the_reason_and_the_query(tmp_path: Path) -> None:
    text = page(tmp_path, f"http://127.0.0.1:{free_port()}")
    assert "cannot be reached from the page&#39;s server: ConnectionError, so there are no links" in text
    assert links(text, "") == []
    assert text.count("data-copy") == len(QUERIES)


def test_unset_there_is_no_such_page(tmp_path: Path) -> None:
    client = create_app(read_settings({}, state_dir=tmp_path), poll=False).test_client()
    assert client.get("/queries").status_code == 404
    assert "WEBAPP_PROMETHEUS_URL is not set" in client.get("/queries").text
    assert "/queries" not in client.get("/").text


def test_every_name_in_a_query_is_one_that_the_page_exposes(tmp_path: Path) -> None:
    write_sample(tmp_path)
    app = create_app(read_settings({}, state_dir=tmp_path), poll=False, clock=clock)
    own = re.findall(r"^# TYPE (cloud_monitor_\w+)", app.test_client().get("/metrics").text, re.MULTILINE)
    table = re.findall(r"\| `(\w+)` \|", (ROOT / "docs/metrics.md").read_text())  # written from the catalog
    known = {*own, *(f"cloud_monitor_{name}" for name in table)}
    asked = {name for query in QUERIES for name in re.findall(r"cloud_monitor_\w+", query.promql)}
    assert len(asked) > 15
    assert {name.removesuffix("_bucket") for name in asked} <= known
