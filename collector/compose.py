"""From what the sources gave to a run's points: clouds compared, counts filled, own figures added (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloud_monitor.metrics.catalog import COLLECTOR_SERVICE, PRODUCERS_OF_SERVICE, is_of_further_host
from cloud_monitor.metrics.paths import build_path, parse_path
from collector.clouds import cloud_values, live_host_values, read_cloud_facts
from collector.delivery.spool import SpoolFigures
from collector.isolate import SourceOutcome
from collector.model import Point
from collector.settings import CloudSchedulerSettings, GridSettings
from collector.sources.top_n import cap_batches, cap_names
from collector.tasks import COMMAND_PREFIX
from collector.zerofill import zero_paths


@dataclass(frozen=True, slots=True)
class Composed:
    points: tuple[Point, ...]  # sorted by path, no path twice
    failures: tuple[str, ...]  # `source, ...: what failed`
    measured: frozenset[str]  # paths that had a value of their own, not one filled in


def compose(
    settings: CloudSchedulerSettings,
    outcomes: Sequence[SourceOutcome],
    seen: Mapping[str, int],
    spools: Mapping[str, SpoolFigures],
    timestamp: int,
    duration_s: float,
    clock_s: int,
) -> Composed:
    """`clock_s` is this host's time, in epoch seconds. `seen` says
    when each path last had a value; `spools` what waits per destination as the run began."""
    failures = _failures(outcomes)
    given = [(outcome.source, pair) for outcome in outcomes for pair in _capped(settings, outcome, seen)]
    clouds, clouds_well = _compare_clouds(settings, outcomes, seen)
    values: dict[str, float] = {}
    for source, (path, value) in [*given, *(("clouds", pair) for pair in clouds)]:
        if path in values:
            failures.append(f"{source}: {path} is given twice; the first one stands")
        elif not math.isfinite(value):
            failures.append(f"{source}: {path} is {value}, which no store takes")
        elif settings.owner or _is_own(path, settings):
            values[path] = value
    zeros = zero_paths(seen, values.keys(), _producers_well(outcomes, clouds_well), settings.grid, timestamp)
    measured = frozenset(values)
    values.update(dict.fromkeys(zeros, 0.0))
    values.update(_heartbeats(settings, outcomes))
    values.update(_own_figures(settings, outcomes, spools, timestamp, duration_s))
    values[settings.own_path("collector_clock")] = float(clock_s)
    values[settings.own_path("collector_points")] = float(len(values) + 1)
    points = tuple(Point(path, timestamp, value) for path, value in sorted(values.items()))
    return Composed(points, tuple(failures), measured)


def _failures(outcomes: Sequence[SourceOutcome]) -> list[str]:
    """One for all sources that failed for the same reason."""
    sources: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.error:
            sources.setdefault(outcome.error, []).append(outcome.source)
    return [f"{', '.join(names)}: {error}" for error, names in sources.items()]


def _capped(
    settings: CloudSchedulerSettings, outcome: SourceOutcome, seen: Mapping[str, int]
) -> Sequence[tuple[str, float]]:
    """Its values, with no more new names than the day has room for."""
    values = outcome.collected.values
    if outcome.source == "condor_jobs":
        return cap_names(settings.grid, values, seen, settings.condor_names_max)
    if outcome.source == "fleet":
        return cap_batches(settings.grid, values, seen, settings.fleet_batches_max)
    return values


def _compare_clouds(
    settings: CloudSchedulerSettings, outcomes: Sequence[SourceOutcome], seen: Mapping[str, int]
) -> tuple[list[tuple[str, float]], bool]:
    """Values of the comparison, and whether everything it needs was there."""
    facts = read_cloud_facts(settings, outcomes)
    if facts is None:
        return [], False
    values: list[tuple[str, float]] = []
    if facts.listed:
        values += cloud_values(
            settings.grid, facts.vms, facts.machines, facts.placements,
            clouds=facts.clouds, has_scheduler=facts.has_scheduler,
        )  # fmt: skip
        values += live_host_values(
            settings.grid, facts.vms, facts.machines or (), seen, settings.live_hosts_max
        )
    return values, facts.whole


def _is_own(path: str, settings: GridSettings) -> bool:
    """What a further scheduler host may write: its own tree, and its own schedd."""
    metric, names = parse_path(path)
    if names["grid"] != settings.grid:
        return False
    return metric.family == "condor_schedd" or (is_of_further_host(metric) and names["host"] == settings.host)


def _producers_well(outcomes: Sequence[SourceOutcome], clouds_well: bool) -> set[str]:
    """Producers that gave everything they have, so that what is missing is truly gone."""
    well = {outcome.source for outcome in outcomes if outcome.error is None}
    commands = [outcome for outcome in outcomes if outcome.source.startswith(COMMAND_PREFIX)]
    if all(outcome.error is None for outcome in commands):
        well.add("commands")
    if clouds_well:
        well.add("clouds")
        if not any(outcome.source == "cloudscheduler" for outcome in outcomes):
            well.add("cloudscheduler")  # the startd attribute stands in for it
    return well


def _heartbeats(settings: GridSettings, outcomes: Sequence[SourceOutcome]) -> dict[str, float]:
    beats = {}
    for service, producers in PRODUCERS_OF_SERVICE.items():
        asked = [outcome for outcome in outcomes if outcome.source in producers]
        if service == COLLECTOR_SERVICE:
            beats[settings.own_path("heartbeat", service=service)] = 1.0
        elif asked:
            answered = all(outcome.answered for outcome in asked)  # if only in part, which is told elsewhere
            beats[settings.own_path("heartbeat", service=service)] = float(answered)
    return beats


def _own_figures(
    settings: CloudSchedulerSettings,
    outcomes: Sequence[SourceOutcome],
    spools: Mapping[str, SpoolFigures],
    timestamp: int,
    duration_s: float,
) -> dict[str, float]:
    own = settings.own_path
    figures = {
        own("collector_duration"): duration_s,
        own("collector_failures"): float(sum(outcome.error is not None for outcome in outcomes)),
    }
    if settings.owner:
        figures[build_path("owner", grid=settings.grid, owner=settings.host)] = 1.0
    for outcome in outcomes:
        figures[own("source_duration", source=outcome.source)] = outcome.duration_s
        figures[own("source_points", source=outcome.source)] = float(len(outcome.collected.values))
        figures[own("source_failed", source=outcome.source)] = float(outcome.error is not None)
    ages = []
    for destination, spool in spools.items():
        ages.append(_age_s(spool, timestamp))
        for name, value in _spool_figures(spool, ages[-1]).items():
            figures[own(f"destination_{name}", destination=destination)] = value
    together = SpoolFigures(
        sum(spool.points for spool in spools.values()),
        None,
        sum(spool.dropped for spool in spools.values()),
        sum(spool.resent for spool in spools.values()),
    )
    for name, value in _spool_figures(together, max(ages, default=0.0)).items():
        figures[own(f"collector_{name}")] = value
    return figures


def _spool_figures(spool: SpoolFigures, age_s: float) -> dict[str, float]:
    return {
        "spooled_points": float(spool.points),
        "spool_age_s": age_s,
        "dropped_points": float(spool.dropped),
        "resent_points": float(spool.resent),
    }


def _age_s(spool: SpoolFigures, timestamp: int) -> float:
    return 0.0 if spool.oldest_timestamp is None else float(max(0, timestamp - spool.oldest_timestamp))
