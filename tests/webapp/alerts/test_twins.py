"""Rules built in and their twins for Prometheus: names, times, and what makes them fire.

promtool evaluates docs/prometheus/alerts.yml on what the page exposes each minute; the engine goes through
the same minutes; both must come to the same alerts.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import yaml

from cloud_monitor.system.text import parse_duration
from tests.services.needs import find_program
from tests.webapp.sample import NOW, sample_values
from webapp.alerts.engine import step
from webapp.alerts.model import Known
from webapp.alerts.observe import observe
from webapp.alerts.rules.rules import AlertRule, parse_alert_settings
from webapp.alerts.sending.outbox import ChannelState
from webapp.metrics.counters import SharedCounters
from webapp.metrics.exposition import expose
from webapp.model.build import GridOrder, build_snapshot
from webapp.model.health import HealthRules
from webapp.model.judge import judge_health
from webapp.model.options import complete_thresholds
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Value

FILE = Path(__file__).resolve().parents[3] / "docs/prometheus/alerts.yml"
OF_THE_PAGE = "cloud_monitor_page"  # what the page cannot tell of itself
AZURE = ("azure_critical", "azure_warning")  # what Azure tells of itself is no figure of ours
RULES = {name: rule for name, rule in parse_alert_settings({}).rules.items() if name not in AZURE}
GROUPS = yaml.safe_load(FILE.read_text())["groups"]
TWINS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if group["name"] != OF_THE_PAGE}
MINUTES = 45
STALE_AFTER_S = 180


def test_every_rule_has_its_twin_of_the_same_time_and_severity() -> None:
    own = {rule.prometheus: (rule.for_s, rule.severity) for rule in RULES.values()}
    others = {
        name: (parse_duration(rule.get("for", "0s")), rule["labels"]["severity"])
        for name, rule in TWINS.items()
    }
    assert own == others
    assert len(own) == len(RULES), "two rules have one twin"


Values = dict[str, float | None]  # path below the grid -> value; None: it is not sent
World = Callable[[int], tuple[Values, str]]  # minute -> what differs from the sample, error of the poll

LIMITS: Values = {
    "clouds.cern.vms.small.error": 10, "clouds.cern.lost.small": 1, "clouds.cern.unreg.small": 3,
    "jobs.all.held": 22.2, "jobs.all.total": 222, "sysinfo.cpu": 80, "sysinfo.ram": 75, "sysinfo.disk": 90,
    "hosts.two.sysinfo.cpu": 80, "collector.spool_age_s": 300, "fleet.hosts.worker-1.cpu_pct": 80,
    "fleet.hosts.worker-1.memory_pct": 75, "fleet.hosts.worker-1.temp_mb": 7200, "fleet.chunks.active": 35,
    "fleet.hosts.worker-1.temp_limit_mb": 8000, "fleet.hosts.worker-1.held_workers": 0,
    "collector.source.host.failed": 0, "condor.peers.schedds.asked": 2, "condor.peers.schedds.answered": 2,
    "fleet.manager.silent_s": 300, "fleet.machines.workers.stopped": 0, "fleet.machines.workers.costing": 0,
    "fleet.scaling.workers.failed": 2, "fleet.machines.workers.cost_month": 80,
    "fleet.batches.run.margin_s": 0, "fleet.machines.workers.cost_most": 100,
    "azure.quotas.west.cores.used_pct": 90,
    "azure.vms.worker-1.disk_pct": 95, "azure.storage.results.used_pct": 90,
}  # fmt: skip


def changed_by(difference: float) -> Values:
    return {path: (value or 0) + difference for path, value in LIMITS.items()}


WORLDS: dict[str, World] = {
    "well": lambda minute: ({}, ""),
    "at every limit": lambda minute: (LIMITS, ""),
    "just below": lambda minute: (changed_by(-0.5) | {"condor.peers.schedds.answered": 1.5}, ""),
    "just above": lambda minute: (changed_by(0.5) | {"condor.peers.schedds.answered": 1}, ""),
    "not for long enough": lambda minute: (changed_by(0.5) if minute > MINUTES - 4 else {}, ""),
    "a service and a cloud do not answer": lambda minute: (
        {"heartbeat.condor": 0, "clouds.cern.reachable": 0, "hosts.two.collector.source.host.failed": 1}, ""
    ),
    "a heartbeat that stays away": lambda minute: ({"heartbeat.fleet": 1 if minute < 20 else None}, ""),
    "a cloud that goes quiet": lambda minute: (
        {path: None for path in sample() if path.startswith("clouds.uvic.")} if minute > 20 else {}, ""
    ),
    "chunks that stand still": lambda minute: ({"fleet.chunks.active": 0, "fleet.chunks.paused": 9}, ""),
    "all that waits is paused": lambda minute: ({"fleet.chunks.active": 0, "fleet.chunks.paused": 10}, ""),
    "chunks that are given up one a minute": lambda minute: ({"fleet.chunks.failed": minute}, ""),
    "chunks that are retried and given up again": lambda minute: (
        {"fleet.chunks.failed": minute % 2, "fleet.deadlines.missed": 3 + (minute > 35)}, ""
    ),
    "chunks that were given up long ago": lambda minute: ({"fleet.chunks.failed": 9 * (minute > 5)}, ""),
    "a grid that goes quiet": lambda minute: (dict.fromkeys(sample()) if minute > 25 else {}, ""),
    "a Graphite that is gone": lambda minute: (
        (dict.fromkeys(sample()), "refused") if minute > 25 else ({}, "")
    ),
}  # fmt: skip


@cache
def sample() -> Values:
    """One grid that is well, by path below it."""
    values = {one.path.removeprefix("grids.atlas."): one.value for one in sample_values(NOW, ("atlas",))}
    return {
        path: 0.0 if re.search(r"\.(lost|unreg)\.", path) or path == "jobs.all.held" else value
        for path, value in values.items()
        if not path.startswith("util.")
    } | {"heartbeat.fleet": 1.0, "fleet.chunks.paused": 0.0, "fleet.chunks.failed": 0.0}  # fmt: skip


def views(world: World) -> Iterator[SnapshotView]:
    """What the page shows each minute: the newest of every figure, however old."""
    newest: dict[str, Value] = {}
    polled_at = 0
    for minute in range(MINUTES):
        now = NOW + 60 * minute
        values, error = world(minute)
        for path, value in {**sample(), **values}.items():
            if value is not None:
                newest[path] = Value(f"grids.atlas.{path}", float(value), now)
        polled_at = polled_at if error else now
        snapshot = build_snapshot(float(polled_at), newest.values(), GridOrder((), frozenset()))
        outcome = PollOutcome(finished_at=now, succeeded_at=polled_at, error=error)
        yield SnapshotView(snapshot, outcome, now, STALE_AFTER_S)


def fired_here(world: World, channels: tuple[ChannelState, ...] = ()) -> set[str]:
    """Twins' names of the rules that fire in the last minute, causes and symptoms."""
    known, samples = Known(), {}
    at_once: dict[str, AlertRule] = {
        name: rule.model_copy(update={"keep_s": 0.0}) for name, rule in RULES.items()
    }
    for view in views(world):
        health = judge_health(view, HealthRules(complete_thresholds({})))
        observed, samples = observe(at_once, health, channels, known, samples, view.as_of)
        known = step(known, at_once, observed, (), view.as_of).known
    firing = [one for one in known.alerts.values() if one.state == "firing"]
    return {RULES[one.key.rule].prometheus for one in firing if not one.clear_since}


def exposed(world: World, tmp_path: Path, failures: dict[str, int]) -> list[dict[str, str]]:
    """The same minutes as promtool's series."""
    points: defaultdict[str, dict[int, str]] = defaultdict(dict)
    totals = SharedCounters(tmp_path).totals()
    for minute, view in enumerate(views(world)):
        text = expose(judge_health(view, HealthRules(complete_thresholds({}))), totals, failures).decode()
        for line in text.splitlines():
            if line.startswith("cloud_monitor_") and "process" not in line:
                name, _, value = line.rpartition(" ")
                points[name][minute] = value
    return [
        {"series": name, "values": " ".join(told.get(minute, "_") for minute in range(MINUTES))}
        for name, told in points.items()
    ]


@pytest.fixture(scope="module")
def fired_there(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """By world: alerts that Prometheus fires in the last minute."""
    promtool, folder = find_program("promtool", "prometheus"), tmp_path_factory.mktemp("promtool")
    ask = {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{MINUTES - 1}m",
        "exp_samples": [{"labels": '{alertname="none"}', "value": 0}],
    }
    tests = [
        {"name": name, "interval": "1m", "input_series": exposed(world, folder, {"mail": 0, "hook": 3}),
         "promql_expr_test": [ask]}
        for name, world in WORLDS.items()
    ]  # fmt: skip
    file = folder / "test.yml"
    file.write_text(json.dumps({"rule_files": [str(FILE)], "evaluation_interval": "1m", "tests": tests}))
    told = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    answers = re.findall(r"got:(.*)", told.stdout + told.stderr)
    assert len(answers) == len(WORLDS), told.stdout + told.stderr
    return {
        name: set(re.findall(r'alertname="(\w+)"', answer))
        for name, answer in zip(WORLDS, answers, strict=True)
    }


HOOK = ChannelState("hook", None, float(NOW), 3, "refused")


@pytest.mark.parametrize("world", WORLDS)
def test_twins_fire_in_the_same_worlds(world: str, fired_there: dict[str, set[str]]) -> None:
    assert fired_there[world] == fired_here(WORLDS[world], (replace(HOOK, name="mail", failures=0), HOOK))


def test_the_worlds_make_every_rule_fire() -> None:
    fired = set.union(*(fired_here(world, (HOOK,)) for world in WORLDS.values()))
    assert TWINS.keys() - fired == {"CollectorClockAhead"}
