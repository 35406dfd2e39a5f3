"""From what sources gave to a run's points: what is kept out, and what is added."""

from __future__ import annotations

from collector.check import CheckRow, judge_clock
from collector.compose import Composed, compose
from collector.delivery.graphite import RenderAnswer
from collector.delivery.spool import SpoolFigures
from collector.isolate import SourceOutcome
from collector.model import CloudVm, Collected, Machine
from collector.settings import Settings
from tests.collector.support import make_settings

NOW = 1_700_000_040


def outcome(
    source: str, *values: tuple[str, float], error: str | None = None, **facts: object
) -> SourceOutcome:
    return SourceOutcome(source, Collected(values=values, **facts), error, 0.25)  # type: ignore[arg-type]


def composed(
    settings: Settings, *outcomes: SourceOutcome, seen: dict[str, int] | None = None, **spools: SpoolFigures
) -> Composed:
    return compose(settings, outcomes, seen or {}, spools, NOW, 0.5, NOW + 3)


def values_of(result: Composed) -> dict[str, float]:
    assert all(point.timestamp == NOW for point in result.points)
    assert [point.path for point in result.points] == sorted({point.path for point in result.points})
    return {point.path: point.value for point in result.points}


def test_a_path_given_twice_stands_once_and_is_told() -> None:
    result = composed(
        make_settings(),
        outcome("host", ("grids.g.sysinfo.load", 1)),
        outcome("x", ("grids.g.sysinfo.load", 2)),
    )
    assert values_of(result)["grids.g.sysinfo.load"] == 1
    assert result.failures == ("x: grids.g.sysinfo.load is given twice; the first one stands",)


def test_what_no_store_takes_is_kept_out_and_told() -> None:
    result = composed(make_settings(), outcome("host", ("grids.g.sysinfo.load", float("nan"))))
    assert "grids.g.sysinfo.load" not in values_of(result)
    assert "nan" in result.failures[0]


def test_heartbeats_are_of_services_that_were_asked() -> None:
    result = composed(make_settings(), outcome("condor_jobs"), outcome("condor_slots", error="schedd x: no"))
    values = values_of(result)
    beats = {path.rpartition(".")[2]: value for path, value in values.items() if ".heartbeat." in path}
    assert beats == {"cloud_monitor": 1, "condor": 0}
    assert values["grids.g.collector.failures"] == 1
    assert values["grids.g.collector.points"] == len(values)


def test_spools_are_summed_and_the_oldest_tells_the_age() -> None:
    spools = {
        "a": SpoolFigures(5, NOW - 600, 1, 2),
        "b": SpoolFigures(7, NOW - 60, 3, 4),
        "c": SpoolFigures(),
    }
    values = values_of(composed(make_settings(), **spools))
    own = {path.removeprefix("grids.g.collector."): value for path, value in values.items()}
    assert (own["spooled_points"], own["spool_age_s"], own["dropped_points"], own["resent_points"]) == (
        12,
        600,
        4,
        6,
    )
    assert own["destinations.b.spool_age_s"] == 60
    assert own["destinations.c.spooled_points"] == 0


def test_clouds_are_compared_across_sources_and_silent_where_the_scheduler_failed() -> None:
    vms = (CloudVm("c", "big", "running", ("vm-1",)), CloudVm("c", "big", "running", ("vm-2",)))
    machines = (Machine("vm-1.example.org"),)
    scheduler = outcome("cloudscheduler", ("grids.g.clouds.c.quota", 4), vms=vms)
    slots = outcome("condor_slots", machines=machines)
    values = values_of(composed(make_settings(), scheduler, slots))
    assert values["grids.g.clouds.c.idle.big"] == values["grids.g.clouds.c.unreg.total"] == 1
    assert values["grids.g.clouds.c.vms.big.running"] == 2
    failed = values_of(composed(make_settings(), outcome("cloudscheduler", error="no"), slots))
    assert not any(".clouds." in path for path in failed)
    alone = values_of(composed(make_settings(), scheduler, outcome("condor_slots", error="no")))
    assert alone["grids.g.clouds.c.vms.big.running"] == 2
    assert "grids.g.clouds.c.idle.big" not in alone


def test_a_partial_failure_gives_its_values_and_fills_nothing() -> None:
    seen = {"grids.g.clouds.c.vms.big.running": NOW - 60}
    partial = outcome("cloudscheduler", ("grids.g.clouds.c.quota", 4), error="half", complaints=("half",))
    result = composed(make_settings(), partial, seen=seen)
    assert values_of(result)["grids.g.clouds.c.quota"] == 4
    assert "grids.g.clouds.c.vms.big.running" not in values_of(result)
    well = composed(make_settings(), outcome("cloudscheduler"), seen=seen)
    assert values_of(well)["grids.g.clouds.c.vms.big.running"] == 0


def test_a_further_host_keeps_out_what_belongs_to_the_owner() -> None:
    given = outcome(
        "condor_slots", ("grids.g.jobs.all.idle", 1), ("grids.g.condor.schedd.head2.duty_cycle", 0.5)
    )
    values = values_of(composed(make_settings(owner="false", host="head2"), given))
    assert values["grids.g.condor.schedd.head2.duty_cycle"] == 0.5
    assert all(path.startswith(("grids.g.hosts.head2.", "grids.g.condor.schedd.")) for path in values)


def test_a_clock_that_is_off_is_told_with_its_side() -> None:
    def judged(ahead_s: float | None) -> CheckRow:
        return judge_clock("http://store", RenderAnswer({}, ahead_s))

    assert judged(2).level == "ok"
    assert judged(90).level == "warning"
    assert "90 s behind" in judged(90).text
    assert "90 s ahead of" in judged(-90).text
    assert judged(None).level == "warning"
