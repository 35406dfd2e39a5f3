"""The rules of health: what is wrong in a snapshot, and what of it explains the rest. Pure.

Only fresh figures are judged by thresholds; one that is old makes its condition unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from cloud_monitor.metrics.catalog import METRICS, PRODUCERS_OF_SERVICE
from cloud_monitor.metrics.paths import ROOT
from cloud_monitor.system.text import age_text, format_number
from webapp.model.fleet_queue import FleetQueue
from webapp.model.health import (
    CHUNKS_FAILED,
    CLOUD_SILENT,
    CLOUD_UNREACHABLE,
    FLEET_HELD,
    GRID_SILENT,
    HEARTBEAT_LOST,
    POLL_FAILING,
    Condition,
    Finding,
    Health,
    HealthRules,
    Key,
    Level,
    Since,
)
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Cloud, Counts, Grid, Host, Value

_PRODUCERS = {metric.key: metric.producer for metric in METRICS}
_HOST_FIGURES = {"cpu": "cpu_pct", "ram": "ram_pct", "swap": "swap_pct", "disk": "disk_pct"}
_GIVEN_UP = ("{} chunks given up", "1 chunk given up")
_OF_PEERS = ("asked", "answered")
_OF_SCHEDULER = PRODUCERS_OF_SERVICE["cloud_scheduler"]


def judge_health(view: SnapshotView, rules: HealthRules, since: Mapping[Key, Since] | None = None) -> Health:
    """What holds in the snapshot. `since` says of conditions when they began, where that is remembered."""
    check = _HealthCheck(view, rules)
    found = _explain(list(check.find()), view)
    return Health(view, rules, tuple(_in_order(found)), frozenset(check.unknown), since or {})


class _HealthCheck:
    """Goes through a snapshot; `unknown` grows meanwhile."""

    def __init__(self, view: SnapshotView, rules: HealthRules) -> None:
        self._view = view
        self._rules = rules
        self.unknown: set[Key] = set()

    def find(self) -> Iterator[Condition]:
        """All that is wrong, without who explains whom."""
        yield from self._poll()
        for grid in self._view.snapshot.grids:
            label = self._rules.grid_names.get(grid.name, grid.name)
            yield from self._silence(Key(GRID_SILENT, grid.name), grid.newest, (label,))
            for host in (grid.own, *grid.hosts):
                yield from self._host(grid, host, label)
            for cloud in grid.clouds:
                yield from self._cloud(cloud, label)
            yield from self._peers(grid, label)
            held = held_share(grid.jobs.get("all", {}))
            yield from self._above(
                Key("held_pct", grid.name), "jobs", held, (label,), "{} % of the jobs are held"
            )
            yield from self._above(
                Key(CHUNKS_FAILED, grid.name), "fleet_chunks", grid.fleet.chunks.get("failed"),
                (label, "fleet"), *_GIVEN_UP,
            )  # fmt: skip
            yield from self._above(
                Key(FLEET_HELD, grid.name), "fleet_held", grid.fleet.figures.get("held"),
                (label, "fleet"), "the whole fleet is held: nothing is claimed",
            )  # fmt: skip

    def _poll(self) -> Iterator[Condition]:
        outcome, as_of = self._view.outcome, self._view.as_of
        text = ""
        if outcome.error:
            text = f"poll fails: {outcome.error}"
        elif outcome.finished_at and as_of - outcome.finished_at > self._view.stale_after_s:
            text = f"not polled for {age_text(as_of - outcome.finished_at)}"
        if text:
            where, over = ("Graphite",), "poll answered again"
            yield Condition(Key(POLL_FAILING), Level.BAD, text, where, over, tells_age=not outcome.error)

    def _silence(
        self, key: Key, newest: int | None, where: tuple[str, ...], producers: frozenset[str] = frozenset()
    ) -> Iterator[Condition]:
        """A grid or cloud of which nothing fresh is known."""
        value = Value(f"{ROOT}.{key.grid}", 1.0, newest)
        if not self._view.is_fresh(value):
            text = f"no data for {self._view.age(value) or 'ever'}"
            yield Condition(key, Level.STALE, text, where, "sends data again", True, producers)

    def _peers(self, grid: Grid, label: str) -> Iterator[Condition]:
        """Schedds or pools whose jobs or machines the grid's sums lack."""
        for peers, counts in grid.figures.table("peers").items():
            key, pair = Key("peers_missing", grid.name, part=peers), [counts.get(name) for name in _OF_PEERS]
            asked, answered = (
                value.value if value and self._view.is_fresh(value) else None for value in pair
            )
            if asked is None or answered is None:
                self.unknown.add(key)
            elif answered < asked:
                text = f"{answered:g} of {asked:g} {peers} answer, sums are of these"
                producers = frozenset({_PRODUCERS["condor_answered"]})
                yield Condition(
                    key, Level.WARN, text, (label,), f"all {peers} answer again", producers=producers
                )

    def _host(self, grid: Grid, host: Host, label: str) -> Iterator[Condition]:
        is_own = host is grid.own
        name, where = ("", (label,)) if is_own else (host.name, (label, host.name))
        for service, value in host.heartbeats.items():
            key = Key(HEARTBEAT_LOST, grid.name, host=name, part=service)
            called = self._rules.heartbeat_names.get(service, service)
            is_fresh = self._view.is_fresh(value)
            if is_fresh and value.value != 0:
                continue
            how = "does not answer" if is_fresh else f"heartbeat lost for {self._view.age(value)}"
            producers = frozenset({_PRODUCERS["heartbeat"]})
            over = f"{called} answers again"
            yield Condition(
                key, Level.BAD, f"{called} {how}", where, over, not is_fresh, producers, is_of_host=True
            )
        for figure, kind in _HOST_FIGURES.items():
            yield from self._above(
                Key(kind, grid.name, host=name), f"sysinfo_{figure}", host.sysinfo.get(figure), where,
                figure.upper() + " at {} %", is_of_host=True,
            )  # fmt: skip
        yield from self._above(
            Key("spool_age_s", grid.name, host=name), "collector_spool_age_s",
            host.collector.get("spool_age_s"), where, "figures wait for delivery since {} s", is_of_host=True,
        )  # fmt: skip
        owner = grid.name if is_own else f"{grid.name}/{host.name}"
        ahead_s = self._view.snapshot.clocks_ahead_s.get(owner, 0.0)
        yield from self._above(
            Key("clock_ahead_s", grid.name, host=name), "collector_clock",
            Value("", round(ahead_s), self._view.as_of), where,
            "clock is {} s ahead of the store's, its figures count as so much older", is_of_host=True,
        )  # fmt: skip

    def _cloud(self, cloud: Cloud, label: str) -> Iterator[Condition]:
        where, names = (label, cloud.name), {"grid": cloud.grid, "cloud": cloud.name}
        yield from self._silence(Key(CLOUD_SILENT, **names), cloud.newest, where, _OF_SCHEDULER)
        for kind, metric, value, text, singular in (
            ("vms_error", "cloud_vms", cloud.total.states.get("error"), "{} VMs in error", "1 VM in error"),
            ("vms_lost", "cloud_lost", cloud.total.lost, "{} VMs lost", "1 VM lost"),
            ("vms_unreg", "cloud_unreg", cloud.total.unreg, "{} VMs unregistered", "1 VM unregistered"),
        ):
            yield from self._above(Key(kind, **names), metric, value, where, text, singular)
        key = Key(CLOUD_UNREACHABLE, **names)
        if cloud.reachable.value is not None and not self._view.is_fresh(cloud.reachable):
            self.unknown.add(key)
        elif cloud.reachable.value == 0:
            producers = frozenset({_PRODUCERS["cloud_reachable"]})
            text, over = "its interface does not answer", "its interface answers again"
            yield Condition(key, Level.WARN, text, where, over, producers=producers)

    def _above(
        self,
        key: Key,
        metric: str,
        value: Value | None,
        where: tuple[str, ...],
        text: str,
        singular: str = "",
        *,
        is_of_host: bool = False,
    ) -> Iterator[Condition]:
        """A figure of the catalog's `metric` at or above its threshold, which is called as the key's kind."""
        if value is None or value.value is None:
            return
        if not self._view.is_fresh(value):
            self.unknown.add(key)
            return
        warn, bad = self._rules.thresholds[key.kind]
        if value.value >= warn:
            reason = _counted(value.value, text, singular)
            yield Condition(
                key, Level.BAD if value.value >= bad else Level.WARN, reason, where, f"over: {reason}",
                producers=frozenset({_PRODUCERS[metric]}), is_of_host=is_of_host,
            )  # fmt: skip


def _counted(value: float, text: str, singular: str) -> str:
    return singular if singular and value == 1 else text.format(format_number(value))


def _explain(found: list[Condition], view: SnapshotView) -> list[Condition]:
    """Each with what explains it altogether, and each cause at least as bad as what it explains."""
    fed = {grid.name: _producers_fed(grid) for grid in view.snapshot.grids}
    reach: dict[tuple[str, str], list[Condition]] = {}  # grid and cloud, empty where all of them -> causes
    for one in sorted((one for one in found if one.key.may_explain), key=lambda one: one.key.rank):
        reach.setdefault((one.key.grid, one.key.cloud), []).append(one)
    explained, levels = [], {one.key: one.level for one in found}
    for one in found:
        places = dict.fromkeys((("", ""), (one.key.grid, ""), (one.key.grid, one.key.cloud)))
        causes = (cause for place in places for cause in reach.get(place, ()))
        cause = next((cause.key for cause in causes if _explains(cause.key, one, fed)), None)
        if cause is not None:
            levels[cause] = max(levels[cause], one.level)
        explained.append(replace(one, cause=cause))
    return [replace(one, level=levels[one.key]) for one in explained]


def cause_among(health: Health, other: Condition) -> Key | None:
    """What the judge found that explains a condition which it did not judge itself."""
    fed = {
        grid.name: _producers_fed(grid) for grid in health.view.snapshot.grids if grid.name == other.key.grid
    }
    for cause in health.explaining:
        is_above = cause.grid in ("", other.key.grid) and cause.cloud in ("", other.key.cloud)
        if is_above and _explains(cause, other, fed):
            return cause
    return None


def _explains(cause: Key, other: Condition, fed: Mapping[str, Mapping[str, frozenset[str]]]) -> bool:
    """Whether a cause of the same place, or of one above it, explains the other condition."""
    if cause.rank >= other.key.rank:
        return False
    if cause.kind != HEARTBEAT_LOST:
        return True
    return cause.host == other.key.host and other.producers <= fed[cause.grid].get(cause.part, frozenset())


def _producers_fed(grid: Grid) -> Mapping[str, frozenset[str]]:
    """What each service's heartbeat stands for. Without a cloud scheduler HTCondor tells of clouds."""
    if "cloud_scheduler" in grid.heartbeats:
        return PRODUCERS_OF_SERVICE
    condor = PRODUCERS_OF_SERVICE["condor"] | _OF_SCHEDULER
    return {**PRODUCERS_OF_SERVICE, "condor": condor}


def _in_order(found: list[Condition]) -> Iterator[Condition]:
    """Causes, the worst first and of equally bad ones what explains most, each followed by its symptoms."""
    symptoms: dict[Key, list[Condition]] = {}
    for one in found:
        if one.cause is not None:
            symptoms.setdefault(one.cause, []).append(one)
    causes = (one for one in found if one.cause is None)
    for cause in sorted(causes, key=lambda one: (-one.level, one.key.rank)):
        yield cause
        yield from sorted(symptoms.get(cause.key, ()), key=lambda one: (one.key.rank, -one.level))


def judge_queue(queue: FleetQueue, rules: HealthRules) -> Iterator[Finding]:
    """What is wrong in a queue that was read itself, which knows more than the figures sent of it. How bad
    chunks given up are, all of them together say.
    """
    if queue.hold:
        yield Finding(Level.WARN, queue.hold, ("queue",))
    warn, bad = rules.thresholds[CHUNKS_FAILED]
    if queue.failed >= warn:
        level = Level.BAD if queue.failed >= bad else Level.WARN
        for name, count in queue.by_batch("failed").items():
            yield Finding(level, _counted(count, *_GIVEN_UP), (name,))
    if queue.missed:
        missed = ("{} chunks missed their deadline", "1 chunk missed its deadline")
        for name, count in queue.by_batch("missed").items():
            yield Finding(Level.WARN, _counted(count, *missed), (name,))
    for batch in queue.batches:
        if batch.late_s and not batch.missed:
            text = f"will be ready {age_text(max(60.0, batch.late_s))} after its deadline at the present pace"
            yield Finding(Level.WARN, text, (batch.name,))
    for host in queue.hosts:
        if host.silent_s is not None and host.workers:
            yield Finding(Level.BAD, f"silent for {age_text(host.silent_s)}", (host.name,))
        elif host.silent_s is None and host.held:
            yield Finding(Level.BAD, host.held, (host.name,))


def held_share(counts: Counts) -> Value | None:
    """Held jobs in % of all; None where that cannot be said."""
    held, total = counts.get("held"), counts.get("total")
    if held is None or total is None or held.value is None or not total.value:
        return None
    return Value(held.path, round(100 * held.value / total.value, 1), held.timestamp)
