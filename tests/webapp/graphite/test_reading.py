"""Every value of a plot and an export is its metric's statistic of the points sent, on both stores."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import pytest

from cloud_monitor.metrics.paths import parse_path
from cloud_monitor.metrics.statistics import LAST, MAX, MEAN, SUM, Statistic
from tests.services.graphite import Graphite, run_graphite
from tests.services.support import wait_until
from tests.services.victoriametrics import VictoriaMetrics
from tests.webapp.feed import feed
from webapp.graphite.gate import GraphiteGate
from webapp.graphite.reading import Reading, Wish, read_targets
from webapp.graphite.targets import check_target
from webapp.graphite.timerange import Range
from webapp.model.tree import Value

DAY_S = 86400
MINUTE = int(time.time()) // 60 * 60
OF_STATISTIC: Mapping[Statistic, str] = {
    MEAN: "jobs.all.idle", MAX: "wait.all.p95_s", LAST: "fleet.images.total", SUM: "collector.failures",
}  # fmt: skip
SUM_OF_MEANS, SUM_OF_MAXIMA = "jobs.*.held", "wait.*.p50_s"
Points = Mapping[int, float]


class Store(Protocol):
    url: str


def made(seed: int, count: int, days: int) -> dict[int, float]:
    """Random whole numbers at random minutes of the last days, up to five minutes ago."""
    draw = random.Random(seed)
    minutes = draw.sample(range(5, days * 1440), count)
    return {MINUTE - 60 * minute: float(draw.randint(0, 10**6)) for minute in minutes}


def statistic(values: Sequence[float], of: Statistic) -> float | None:
    """`values` in the order of their times."""
    if not values:
        return None
    return {MEAN: sum(values) / len(values), MAX: max(values), LAST: values[-1], SUM: sum(values)}[of]


def of_step(points: Points, start_s: int, end_s: int, of: Statistic) -> float | None:
    return statistic([points[at] for at in range(start_s, end_s, 60) if at in points], of)


def rolled_up(points: Points, step_s: int, of: Statistic) -> dict[int, float]:
    """What an archive of `step_s` has of points that came while they were new."""
    starts = {at // step_s * step_s for at in points}
    found = {start: of_step(points, start, start + step_s, of) for start in starts}
    return {start: value for start, value in found.items() if value is not None}


def total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


@dataclass(frozen=True)
class World:
    """What was sent to two stores; `sums` has the paths of which each target is the sum."""

    grid: str
    points: dict[str, Points]
    days: int

    def sums(self, target: str) -> list[str]:
        if "*" not in target:
            return [target]
        before, after = target.split("*")
        return [path for path in self.points if path.startswith(before) and path.endswith(after)]

    @property
    def targets(self) -> list[str]:
        return [f"grids.{self.grid}.{rest}" for rest in (*OF_STATISTIC.values(), SUM_OF_MEANS, SUM_OF_MAXIMA)]

    def send(self, graphite: Graphite, victoriametrics: VictoriaMetrics) -> None:
        values = [
            Value(path, value, at) for path in self.points for at, value in sorted(self.points[path].items())
        ]
        feed(graphite, values)
        victoriametrics.send((one.path, one.value or 0.0, one.timestamp) for one in values)
        ends = {path: max(points) for path, points in self.points.items()}
        for store in (graphite, victoriametrics):
            for path, newest in ends.items():
                wait_until(lambda s=store, p=path, n=newest: n in known(s.render(p, since=str(n - 61))), path)


def known(series: list[dict[str, object]]) -> set[object]:
    points: list[tuple[float | None, int]] = [point for one in series for point in one["datapoints"]]  # type: ignore[attr-defined]
    return {at for value, at in points if value is not None}


def make_world(grid: str, count: int, days: int) -> World:
    rests = [*OF_STATISTIC.values(), "jobs.a.held", "jobs.b.held", "wait.a.p50_s", "wait.b.p50_s"]
    return World(grid, {f"grids.{grid}.{rest}": made(n, count, days) for n, rest in enumerate(rests)}, days)


def check(world: World, readings: Sequence[Reading], archive_s: int = 60) -> int:
    """How many values are compared, each with what the points that were sent make it."""
    compared = 0
    for target, sampled, *_ in readings:
        of = parse_path(world.sums(target.text)[0]).metric.statistic
        kept = [
            rolled_up(world.points[path], archive_s, of) if archive_s > 60 else world.points[path]
            for path in world.sums(target.text)
        ]
        bounds = zip(sampled.timestamps, [*sampled.timestamps[1:], None], strict=True)
        for (start_s, next_s), value in zip(bounds, sampled.values, strict=True):
            end_s = start_s + sampled.step_s if next_s is None else next_s
            expected = total([of_step(points, start_s, end_s, of) for points in kept])
            if of == SUM and end_s > MINUTE:
                expected = None  # what counts is not drawn before the step is over
            if value is None or expected is None:
                assert value is expected, (target.text, start_s, sampled.step_s)
                continue
            assert value == pytest.approx(expected, rel=1e-12), (target.text, start_s, sampled.step_s)
            compared += 1
    return compared


def read(
    store: Store, folder: Path, targets: Sequence[str], wish: Wish, now: float = MINUTE
) -> list[Reading]:
    gate = GraphiteGate(store.url, 60, folder)
    return read_targets(gate, [check_target(text) for text in targets], wish, now)


@pytest.fixture(scope="module")
def world(graphite: Graphite, victoriametrics: VictoriaMetrics) -> World:
    world = make_world("reading", 1500, 2)
    world.send(graphite, victoriametrics)
    return world


@pytest.fixture(params=["graphite", "victoriametrics"])
def store(request: pytest.FixtureRequest, graphite: Graphite, victoriametrics: VictoriaMetrics) -> Store:
    return graphite if request.param == "graphite" else victoriametrics


@pytest.mark.parametrize("span_s", [3600, 16 * 3600, 24 * 3600 + 17, 47 * 3600])
@pytest.mark.parametrize("points_max", [100, 1000])
def test_plots(store: Store, world: World, tmp_path: Path, span_s: int, points_max: int) -> None:
    span = Range(MINUTE - span_s, MINUTE)
    readings = read(store, tmp_path, world.targets, Wish(span, points_max))
    assert check(world, readings) > min(points_max, span_s // 60) * 0.2 * len(readings)
    assert {len(one.sampled.timestamps) for one in readings} <= set(range(points_max + 1))


@pytest.mark.parametrize("step_s", [0, 540, 3600])
def test_exports_that_adjoin_have_all_steps_whole_and_once(
    store: Store, world: World, tmp_path: Path, step_s: int
) -> None:
    edges = [MINUTE - 40 * 3600, MINUTE - 31 * 3600 - 1234, MINUTE - 20 * 3600 - 7, MINUTE - 8 * 3600, MINUTE]
    columns: dict[str, list[tuple[int, float | None]]] = {}
    for span in map(Range, edges, edges[1:]):
        readings = read(store, tmp_path, world.targets, Wish(span, 5000, step_s, is_export=True))
        assert check(world, readings)
        for target, sampled, *_ in readings:
            assert all(span.from_s < at + sampled.step_s <= span.until_s for at in sampled.timestamps)
            columns.setdefault(target.text, []).extend(zip(sampled.timestamps, sampled.values, strict=True))
    whole = read(store, tmp_path, world.targets, Wish(Range(edges[0], MINUTE), 5000, step_s, is_export=True))
    for target, sampled, *_ in whole:
        assert columns[target.text] == list(zip(sampled.timestamps, sampled.values, strict=True))


@pytest.mark.parametrize("zone", ["America/Vancouver", "Asia/Kolkata", "Asia/Kathmandu"])
def test_days_of_a_zone(store: Store, world: World, tmp_path: Path, zone: str) -> None:
    span = Range(MINUTE - 47 * 3600, MINUTE)
    wish = Wish(span, 5000, DAY_S, is_export=True, zone=ZoneInfo(zone))
    readings = read(store, tmp_path, world.targets, wish)
    assert check(world, readings) in (len(readings), 2 * len(readings))
    for at in readings[0].sampled.timestamps:
        assert f"{datetime.fromtimestamp(at, ZoneInfo(zone)):%H:%M:%S}" == "00:00:00"


def test_the_newest_minute_of_a_sum_waits_for_all(
    store: Store, graphite: Graphite, victoriametrics: VictoriaMetrics, tmp_path: Path
) -> None:
    """Grid b is a minute late at first, then reports."""
    minute, name = int(time.time()) // 60 * 60, type(store).__name__.lower()
    values = [Value(f"grids.{name}_a.jobs.late.held", 10.0, minute - 60 * ago) for ago in range(1, 6)]
    values += [Value(f"grids.{name}_b.jobs.late.held", 20.0, minute - 60 * ago) for ago in range(2, 6)]
    target, last = "grids.*.jobs.late.held", values[-1].path

    def send(some: list[Value]) -> None:
        if name == "graphite":
            feed(graphite, some)
        else:
            victoriametrics.send((one.path, one.value or 0.0, one.timestamp) for one in some)

    def drawn() -> list[float | None]:
        wish = Wish(Range(minute - 300, minute - 1), 1000)
        return list(read(store, tmp_path, [target], wish, minute + 5)[0].sampled.values)

    send(values)
    wait_until(lambda: drawn()[:1] == [30.0], "both grids")
    assert drawn() == [30.0, 30.0, 30.0, 30.0, None]
    send([Value(last, 20.0, minute - 60)])
    wait_until(lambda: drawn() == [30.0] * 5, "the late minute")


@pytest.mark.soak
def test_ten_thousand_values_over_forty_days(victoriametrics: VictoriaMetrics, tmp_path: Path) -> None:
    """Carbon keeps its minutes for longer than that: of points that come late its archives keep only one."""
    with run_graphite(tmp_path / "graphite", retentions="60s:45d,10m:1y,1h:5y") as graphite:
        world = make_world("soak", 10_000, 40)
        world.send(graphite, victoriametrics)
        for store, archive_s in ((victoriametrics, 60), (graphite, 600)):
            for hours in (1, 16, 24, 72, 7 * 24, 28 * 24, 30 * 24, 40 * 24):
                span = Range(MINUTE - hours * 3600, MINUTE)
                assert check(world, read(store, tmp_path, world.targets, Wish(span, 1000)))
            for step_s in (0, 540, 3600, DAY_S):
                wish = Wish(Range(MINUTE - 28 * DAY_S, MINUTE), 50_000, step_s, is_export=True)
                assert check(world, read(store, tmp_path, world.targets, wish))
            year = Wish(Range(MINUTE - 365 * DAY_S, MINUTE), 1000)
            assert check(world, read(store, tmp_path, world.targets, year), archive_s)
