"""Sums over several schedds that lacked one for a while: plots and exports say from when to when."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cloud_monitor.metrics.paths import parse_path
from tests.services.graphite import Graphite
from tests.services.support import wait_until
from tests.services.victoriametrics import VictoriaMetrics
from tests.webapp.feed import feed
from webapp import create_app
from webapp.graphite.notes import IncompleteSpan, find_pairs, incomplete_spans, peers_of
from webapp.graphite.steps import Step
from webapp.graphite.targets import check_target
from webapp.model.tree import Value
from webapp.poll.state_files import Polled, write_polled
from webapp.settings import Settings

HOUR = int(time.time()) // 3600 * 3600
SILENT = range(HOUR - 3600 + 1200, HOUR - 3600 + 1320, 60)  # two minutes, twenty minutes after the hour
TIMES = range(HOUR - 7200, HOUR, 60)


def peers(grid: str, outcome: str) -> str:
    return f"grids.{grid}.condor.peers.schedds.{outcome}"


def points(grid: str) -> list[Value]:
    values = [Value(peers(grid, "asked"), 3.0, at) for at in TIMES]
    values += [Value(peers(grid, "answered"), 2.0 if at in SILENT else 3.0, at) for at in TIMES]
    return values + [Value(f"grids.{grid}.jobs.all.idle", 10.0, at) for at in TIMES]


@pytest.fixture(params=["graphite", "victoriametrics"])
def client(
    request: pytest.FixtureRequest, graphite: Graphite, victoriametrics: VictoriaMetrics, tmp_path: Path
) -> FlaskClient:
    """Grid `lacking` asks three schedds; `single` asks one."""
    values = [*points("lacking"), *(Value("grids.single.jobs.all.idle", 1.0, at) for at in TIMES)]
    if request.param == "graphite":
        feed(graphite, values)
    else:
        victoriametrics.send((one.path, one.value or 0.0, one.timestamp) for one in values)
    store = graphite if request.param == "graphite" else victoriametrics
    last = values[-1].path
    wait_until(lambda: any(p[0] for s in store.render(last, since="-3h") for p in s["datapoints"]), last)  # type: ignore[attr-defined]
    newest = {one.path: one for one in values}
    write_polled(tmp_path, Polled(float(HOUR), list(newest.values()), {}))
    settings = Settings(graphite_url=store.url, state_dir=tmp_path)
    return create_app(settings, poll=False).test_client()


@pytest.mark.parametrize("target", ["grids.lacking.jobs.all.idle", "grids.*.jobs.all.idle"])
@pytest.mark.parametrize("step_s", [60, 600, 3600])
def test_spans_are_told_at_every_step(client: FlaskClient, target: str, step_s: int) -> None:
    query = {"target": target, "from": HOUR - 7200, "until": HOUR, "step": step_s, "format": "json"}
    answer = client.get("/export", query_string=query)
    assert answer.status_code == 200, answer.text
    start_s = SILENT.start // step_s * step_s
    until_s = max(SILENT.stop, start_s + step_s)
    least = {60: "2", 600: "2.8", 3600: "2.96"}[step_s]
    text = f"{least} of 3 schedds of lacking answered"
    assert answer.json["incomplete"] == [{"from": start_s, "until": until_s, "grid": "lacking", "text": text}]
    assert answer.json["series"][0]["notes"] == [f"incomplete: at times {text}"]
    table = client.get("/export", query_string=query | {"format": "csv"})
    assert table.headers["X-Notes"] == f"{target}: incomplete: at times {text}"


def test_what_is_no_sum_over_schedds_is_complete(client: FlaskClient) -> None:
    targets = ["grids.single.jobs.all.idle", "grids.lacking.heartbeat.condor", peers("lacking", "answered")]
    answer = client.get("/api/series", query_string={"target": targets, "from": HOUR - 7200, "until": HOUR})
    assert answer.json["incomplete"] == []
    assert [one["notes"] for one in answer.json["series"]] == [[], [], []]
    both = client.get(
        "/api/series",
        query_string={"target": [targets[0], "grids.lacking.jobs.all.idle"], "from": HOUR - 7200},
    ).json
    assert [bool(one["notes"]) for one in both["series"]] == [False, True]
    assert len(both["incomplete"]) == 1


def test_neighbouring_steps_are_one_span_with_its_worst() -> None:
    steps = [Step(at, at + 60) for at in range(0, 420, 60)]
    asked = [3.0, 3.0, 3.0, None, 3.0, 3.0, 2.0]
    answered = [3.0, 2.0, 1.0, 2.0, None, 2.0, 2.0]
    assert list(incomplete_spans("g", "schedds", steps, asked, answered)) == [
        IncompleteSpan("g", "schedds", 60, 180, 1.0, 3.0),
        IncompleteSpan("g", "schedds", 300, 360, 2.0, 3.0),
    ]


def test_a_mean_of_almost_all_is_not_rounded_to_all() -> None:
    assert IncompleteSpan("g", "pools", 0, 60, 2.9995, 3.0).text == "2.99 of 3 pools of g answered"


@pytest.mark.parametrize(
    ("path", "whose"),
    [
        ("grids.g.jobs.all.idle", "schedds"),
        ("grids.g.users.u.held", "schedds"),
        ("grids.g.wait.all.p95_s", "schedds"),
        ("grids.g.clouds.c.jobs.all.idle", "schedds"),
        ("grids.g.cores.idle", "pools"),
        ("grids.g.clouds.c.lost.total", "pools"),
        ("grids.g.condor.schedds.s.jobs.idle", ""),
        ("grids.g.sysinfo.load", ""),
        ("grids.g.clouds.c.vms.small.running", ""),
    ],
)
def test_whose_figures_a_value_is_the_sum_of(path: str, whose: str) -> None:
    assert peers_of(parse_path(path).metric) == whose


def test_only_grids_that_ask_several_are_looked_at() -> None:
    paths = [peers("a", "asked"), peers("b", "asked"), "grids.c.jobs.all.idle"]
    targets = [f"grids.{grid}.jobs.all.idle" for grid in ("*", "b", "c")]
    found = find_pairs([check_target(target) for target in targets], paths)
    assert found == [[("a", "schedds"), ("b", "schedds")], [("b", "schedds")], []]
