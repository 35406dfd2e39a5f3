"""Values that the store has averaged where their largest is meant are told of; others are not."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cloud_monitor.metrics.statistics import LAST, MAX, SUM, Statistic
from tests.services.graphite import Graphite, run_graphite
from tests.services.support import wait_until
from tests.services.victoriametrics import VictoriaMetrics
from tests.webapp.feed import feed
from webapp import create_app
from webapp.graphite.rollups import rollup_note
from webapp.graphite.steps import SeriesPoint
from webapp.model.tree import Value
from webapp.poll.state_files import Polled, write_polled
from webapp.settings import Settings

MINUTE = int(time.time()) // 60 * 60
NAMES = ("all", "sim")
ALL, SIM = (f"grids.rolled.wait.{name}.p95_s" for name in NAMES)
IDLE = "grids.rolled.jobs.all.idle"
AVERAGED = "averaged by the store"


def values_of(path: str) -> list[Value]:
    """Three hours of uneven values."""
    return [Value(path, float(at // 60 % 7 * 100), at) for at in range(MINUTE - 3 * 3600, MINUTE, 60)]


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graphite]:
    """A store whose minutes reach back for eight hours; the file of SIM was made by other rules."""
    root = tmp_path_factory.mktemp("graphite")
    with run_graphite(root, retentions="60s:8h,10m:3d") as graphite:
        feed(graphite, [*values_of(ALL)[:1], *values_of(IDLE)[:1], *values_of(SIM)[:1]])
        for path in (ALL, SIM, IDLE):
            wait_until(lambda path=path: graphite.render(path, since="-1d"), path)
        average(graphite, SIM)
        feed(graphite, [*values_of(ALL), *values_of(IDLE), *values_of(SIM)])
        newest = MINUTE - 60
        for path in (ALL, SIM, IDLE):
            wait_until(lambda path=path: newest in times(graphite.render(path, since="-1h")), path)
        yield graphite


def average(graphite: Graphite, path: str) -> None:
    """Write into the series' file that it is to be averaged, as files of older configurations have it."""
    tool = graphite.environment / "bin/whisper-set-aggregation-method.py"
    file = Path(f"{graphite.whisper_dir / path.replace('.', '/')}.wsp")
    subprocess.run([str(graphite.environment / "bin/python"), str(tool), str(file), "average"], check=True)


def times(series: list[dict[str, object]]) -> set[int]:
    points: list[tuple[float | None, int]] = [point for one in series for point in one["datapoints"]]  # type: ignore[attr-defined]
    return {at for value, at in points if value is not None}


def client_for(url: str, state_dir: Path) -> FlaskClient:
    write_polled(state_dir, Polled(float(MINUTE), [values_of(path)[-1] for path in (ALL, SIM, IDLE)], {}))
    return create_app(Settings(graphite_url=url, state_dir=state_dir), poll=False).test_client()


def notes(client: FlaskClient, *targets: str, since: str = "-12h") -> list[list[str]]:
    answer = client.get("/api/series", query_string={"target": targets, "from": since})
    assert answer.status_code == 200, answer.text
    return [one["notes"] for one in answer.json["series"]]


def test_a_maximum_that_the_store_averages(coarse: Graphite, tmp_path: Path) -> None:
    client = client_for(coarse.url, tmp_path)
    the_sum = ALL.replace("all", "*")
    assert notes(client, ALL, SIM, IDLE, the_sum) == [[], [AVERAGED], [], [AVERAGED]]
    assert notes(client, ALL, IDLE) == [[], []]  # as the shipped storage-aggregation.conf has it
    assert notes(client, SIM, since="-30min") == [[]]  # read from the minutes
    export = client.get("/export", query_string={"target": [ALL, SIM], "from": "-12h"})
    assert export.headers["X-Notes"] == f"{SIM}: {AVERAGED}"
    table = client.get("/export", query_string={"target": [ALL, SIM], "from": "-12h", "format": "json"}).json
    assert [one["notes"] for one in table["series"]] == [[], [AVERAGED]]


def test_a_store_that_keeps_all_points(victoriametrics: VictoriaMetrics, tmp_path: Path) -> None:
    victoriametrics.send((one.path, one.value or 0.0, one.timestamp) for one in values_of(SIM))
    wait_until(lambda: victoriametrics.render(SIM, since="-1d"), SIM)
    assert notes(client_for(victoriametrics.url, tmp_path), SIM) == [[]]


def rolled(*made: float) -> list[SeriesPoint]:
    """What an archive made of ten minutes of 0 to 9 each; one more that is not done."""
    return [SeriesPoint(600 * number, value) for number, value in enumerate((*made, 0.0))]


@pytest.mark.parametrize(
    ("own", "made", "note"),
    [
        (MAX, [9.0, 9.0], ""),
        (MAX, [4.5, 4.5], AVERAGED),
        (MAX, [4.5, 4.5, 9.0, 9.0], ""),  # converted of late
        (LAST, [4.5, 4.5], AVERAGED),
        (LAST, [9.0], ""),  # which is the largest too
        (SUM, [4.5], AVERAGED),
        (SUM, [45.0], ""),
        (MAX, [45.0], "summed by the store"),
        (MAX, [0.0], "made coarser by the store in a way of its own"),
        (MAX, [], ""),
    ],
)
def test_what_is_said_of_values(own: Statistic, made: list[float], note: str) -> None:
    points = [SeriesPoint(at, at // 60 % 10 * 1.0) for at in range(0, 6000, 60)]
    assert rollup_note(own, 600, points, rolled(*made)) == note


def test_a_figure_that_stands_still_does_not_tell() -> None:
    points = [SeriesPoint(at, 7.0) for at in range(0, 6000, 60)]
    assert rollup_note(SUM, 600, points, rolled(7.0, 7.0)) == ""
    some = [
        point for point in points if point.timestamp % 120
    ]  # a gap leaves open which points it was made of
    assert rollup_note(MAX, 600, some, rolled(4.5, 4.5)) == ""
