"""Plots, exports and status over real stores: Graphite, and VictoriaMetrics where it is there."""

from __future__ import annotations

import csv
import io
import threading
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.services.graphite import Graphite
from tests.services.proxy import run_proxy
from tests.services.support import in_time, wait_until
from tests.webapp.feed import feed
from tests.webapp.sample import write_sample
from webapp import create_app
from webapp.model.tree import Value
from webapp.settings import Settings
from webapp.views.plot import exact

MINUTE = int(time.time()) // 60 * 60
IDLE, HELD = "grids.plots.jobs.all.idle", "grids.plots.jobs.all.held"
SUM = "grids.plots.jobs.*.idle"


def client_for(url: str, state_dir: Path, **more: float) -> FlaskClient:
    return create_app(Settings(graphite_url=url, state_dir=state_dir, **more), poll=False).test_client()


@pytest.fixture(scope="module")
def client(graphite: Graphite, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """Idle has points 5, 4, 2, 1 minutes ago; held 4 and 3; another type has 10 in each of the last 5."""
    points = [Value(IDLE, float(ago), MINUTE - 60 * ago) for ago in (5, 4, 2, 1)]
    points += [Value(HELD, 7.0, MINUTE - 60 * ago) for ago in (4, 3)]
    points += [Value("grids.plots.jobs.sim.idle", 10.0, MINUTE - 60 * ago) for ago in (5, 4, 3, 2, 1)]
    feed(graphite, points)
    for path in (IDLE, HELD, "grids.plots.jobs.sim.idle"):
        wait_until(lambda path=path: graphite.render(path), path)
    return client_for(graphite.url, tmp_path_factory.mktemp("state"))


def ask(client: FlaskClient, path: str, *targets: str, **more: str | int) -> str:
    span = {"from": MINUTE - 300, "until": MINUTE}
    answer = client.get(path, query_string={"target": targets, **span, **more})
    assert answer.status_code == 200, answer.text
    return answer.text


def series_of(client: FlaskClient, *targets: str, **more: int) -> dict[str, dict[int, float | None]]:
    answer = client.application.json.loads(ask(client, "/api/series", *targets, **more))
    return {
        one["target"]: dict(zip(((t - MINUTE) // 60 for t in one["timestamps"]), one["values"], strict=True))
        for one in answer["series"]
    }


def test_gaps_stay_gaps(client: FlaskClient) -> None:
    found = series_of(client, IDLE)[IDLE]
    assert {minute: found[minute] for minute in (-4, -3, -2, -1)} == {-4: 4.0, -3: None, -2: 2.0, -1: 1.0}


def test_a_star_sums(client: FlaskClient) -> None:
    found = series_of(client, SUM)[SUM]
    assert {minute: found[minute] for minute in (-4, -3, -2)} == {-4: 14.0, -3: 10.0, -2: 12.0}


def test_targets_come_in_order_with_unit_and_meaning_also_where_nothing_is_known(client: FlaskClient) -> None:
    unknown = "grids.plots.wait.all.p50_s"
    answer = client.get("/api/series", query_string={"target": [unknown, HELD]}).json
    assert [one["target"] for one in answer["series"]] == [unknown, HELD]
    assert (answer["series"][0]["unit"], answer["series"][0]["values"]) == ("s", [])
    assert answer["series"][1]["unit"] == "jobs"


def test_many_points_come_as_few_at_a_stated_step(client: FlaskClient) -> None:
    span = {"from": MINUTE - 3000, "until": MINUTE - 60, "points": 10}
    answer = client.get("/api/series", query_string={"target": IDLE, **span}).json
    (one,) = answer["series"]
    assert answer["step_s"] == one["step_s"] == 360
    assert len(one["timestamps"]) <= 10
    assert {b - a for a, b in zip(one["timestamps"], one["timestamps"][1:], strict=False)} == {360}
    assert sum(value is not None for value in one["values"]) in (1, 2)


def test_csv_is_joined_on_the_timestamp(client: FlaskClient) -> None:
    rows = list(csv.DictReader(io.StringIO(ask(client, "/export", IDLE, HELD, tz="Asia/Tokyo"))))
    by_minute = {(int(row["timestamp"]) - MINUTE) // 60: row for row in rows}
    assert {minute: (row[IDLE], row[HELD]) for minute, row in by_minute.items() if minute >= -4} == {
        -4: ("4", "7"),
        -3: ("", "7"),
        -2: ("2", ""),
        -1: ("1", ""),
    }
    assert all(row["time"].endswith("+09:00") for row in rows)


def test_tsv_and_json_say_the_same(client: FlaskClient) -> None:
    tsv = list(csv.DictReader(io.StringIO(ask(client, "/export", IDLE, format="tsv")), delimiter="\t"))
    table = client.application.json.loads(ask(client, "/export", IDLE, format="json"))
    assert [int(row["timestamp"]) for row in tsv] == table["timestamp"]
    assert [float(row[IDLE]) if row[IDLE] else None for row in tsv] == table["series"][0]["values"]
    assert (table["step_s"], table["tz"]) == (60, "UTC")


def test_the_resolution_can_be_chosen_and_is_stated(client: FlaskClient) -> None:
    span = {"from": MINUTE - 300, "until": MINUTE, "step": 120, "format": "csv"}
    answer = client.get("/export", query_string={"target": IDLE, **span})
    assert answer.headers["X-Resolution-Seconds"] == "120"
    assert 'filename="cloud_monitor_120s.csv"' in answer.headers["Content-Disposition"]
    values = [row.split(",")[2] for row in answer.text.splitlines()[1:]]
    assert len(values) == (3 if MINUTE % 120 == 0 else 2)  # whole steps only


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567890123.0, "1234567890123"),
        (12345678901.25, "12345678901.25"),
        (1 / 3, "0.3333333333333333"),
        (1e308, "1e+308"),
        (5e-324, "5e-324"),
        (-7.0, "-7"),
        (2.0**53, "9007199254740992"),
        (0.1, "0.1"),
    ],
)
def test_numbers_are_written_exactly(value: float, text: str) -> None:
    assert exact(value) == text
    assert float(exact(value)) == value


def test_a_third_plot_at_once_is_turned_away_and_the_page_is_not(tmp_path: Path) -> None:
    write_sample(tmp_path, time.time())
    with run_proxy() as proxy:
        proxy.mode = "slow"
        app = client_for(proxy.url, tmp_path, graphite_timeout_s=3).application
        url = f"/api/series?target={IDLE}"
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(app.test_client().get(url).status_code))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(proxy.passed) == 2, "two plots at Graphite")
        started = time.monotonic()
        third = app.test_client().get(url)
        assert (third.status_code, third.headers["Retry-After"]) == (503, "2")
        assert app.test_client().get("/").status_code == 200
        assert in_time(time.monotonic() - started, 2.5)
        for thread in threads:
            thread.join()
        assert statuses == [502, 502]
        assert len(proxy.passed) == 2


def test_every_lie_of_graphite_is_a_502_without_its_text(tmp_path: Path) -> None:
    with run_proxy() as proxy:
        client = client_for(proxy.url, tmp_path, graphite_timeout_s=0.5)
        for mode in ("500", "html", "truncated", "types", "not_utf8", "deep", "redirect", "slow", "drip"):
            proxy.mode = mode
            answer = client.get(f"/api/series?target={IDLE}")
            assert (answer.status_code, answer.json["error"]["code"]) == (502, "graphite_failed"), mode
            assert "Traceback" not in answer.text


def test_health_tells_young_from_old_and_absent(tmp_path: Path) -> None:
    assert client_for("http://127.0.0.1:1", tmp_path).get("/health").status_code == 503
    write_sample(tmp_path, time.time())
    fresh = client_for("http://127.0.0.1:1", tmp_path).get("/health")
    assert (fresh.status_code, fresh.json["status"]) == (200, "ok")
    write_sample(tmp_path, time.time() - 400)
    old = client_for("http://127.0.0.1:1", tmp_path).get("/health")
    assert (old.status_code, old.json["status"]) == (503, "too old")
    assert old.json["snapshot_age_s"] == pytest.approx(400, abs=70)
