"""What the judge's conditions, the catalog's figures and the channels show at one moment, as keys; and which
figures tell of an alert, as targets of a plot. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from cloud_monitor.metrics.catalog import PRODUCERS
from cloud_monitor.metrics.paths import ROOT, is_clean
from webapp.alerts.azure import AzureAlert, see_azure
from webapp.alerts.model import (
    AZURE_CRITICAL,
    AZURE_WARNING,
    AlertKey,
    Known,
    Observation,
    Samples,
    Seen,
    is_within,
    place_of,
)  # fmt: skip
from webapp.alerts.rules.figures import judge_figures
from webapp.alerts.rules.rules import CHANNEL_FAILING, LEVELS, AlertRule
from webapp.alerts.sending.outbox import FAILING_FROM, ChannelState
from webapp.model.health import (
    CLOUD_SILENT,
    CLOUD_UNREACHABLE,
    GRID_SILENT,
    HEARTBEAT_LOST,
    POLL_FAILING,
    Condition,
    Health,
    Key,
)
from webapp.model.judge import cause_among

# Of conditions that alerts are on, what to plot below their place
_OF_CLOUD = {
    CLOUD_UNREACHABLE: "vms.*.total", CLOUD_SILENT: "vms.*.total", "vms_error": "vms.*.error",
    "vms_lost": "lost.*", "vms_unreg": "unreg.*",
}  # fmt: skip
_OF_HOST = {
    "cpu_pct": "sysinfo.cpu", "ram_pct": "sysinfo.ram", "swap_pct": "sysinfo.swap",
    "disk_pct": "sysinfo.disk", "spool_age_s": "collector.spool_age_s", "clock_ahead_s": "collector.clock_s",
}  # fmt: skip
_OF_GRID = {
    "held_pct": ("jobs.all.held", "jobs.all.total"), "chunks_failed": ("fleet.chunks.failed",),
    GRID_SILENT: ("collector.points",),
}  # fmt: skip


def place_of_key(key: Key) -> str:
    return place_of(name for name in key[1:] if name)


def observe(
    rules: Mapping[str, AlertRule],
    health: Health,
    channels: Iterable[ChannelState],
    known: Known,
    samples: Samples,
    now: float,
    azure: Iterable[AzureAlert] = (),
) -> tuple[Observation, Samples]:
    """What holds, what of it is unknown, and the values that rules on an increase go on from."""
    seen: dict[AlertKey, Seen] = {}
    unknown: set[AlertKey] = set()
    conditions = [one for one in health.conditions if not health.is_unknown(one.key)]
    by_kind: dict[str, list[AlertRule]] = {}
    for rule in rules.values():
        by_kind.setdefault(rule.when or "", []).append(rule)
    for one in conditions:
        for rule in by_kind.get(one.key.kind, ()):
            place = place_of_key(one.key)
            if one.level >= LEVELS[rule.level] and _is_there(rule, place):
                since = health.since.get(one.key)
                began, flaps = (since.began, since.flaps) if since else (None, 0)
                key = AlertKey(rule.name, place)
                cause = None if one.cause is None else _alert_of(one.cause, by_kind)
                seen[key] = Seen(key, one.full_text, None, began, flaps, cause)
    figures = judge_figures(
        (one for one in rules.values() if one.figure), health.view, frozenset(known.alerts), samples, now
    )
    for found in figures.found:
        rule = rules[found.key.rule]
        if _is_there(rule, found.key.place):
            explains = cause_among(health, _condition(rule, found.names, found.text))
            cause = None if explains is None else _alert_of(explains, by_kind)
            seen[found.key] = Seen(found.key, found.text, found.value, cause=cause)
    unknown |= figures.unknown
    for rule in by_kind.get(CHANNEL_FAILING, ()):
        seen.update((one.key, one) for one in _failing(rule, channels))
    seen.update((one.key, one) for one in see_azure(azure, rules, now))
    unknown |= {key for key in known.alerts if key not in seen and _is_unknown(key, rules, health)}
    return Observation(seen, frozenset(unknown - seen.keys())), figures.samples


def _is_there(rule: AlertRule, place: str) -> bool:
    return any(is_within(place, outer) for outer in rule.places)


def _alert_of(cause: Key, by_kind: Mapping[str, list[AlertRule]]) -> AlertKey | None:
    """The alert on a cause; None where no rule is on it, so that what it explains is told for itself."""
    place = place_of_key(cause)
    rules = (rule for rule in by_kind.get(cause.kind, ()) if _is_there(rule, place))
    rule = next(rules, None)
    return None if rule is None else AlertKey(rule.name, place)


def _condition(rule: AlertRule, names: Mapping[str, str], text: str) -> Condition:
    """A figure beyond its limit, as the judge would put it."""
    assert rule.metric is not None
    host = names.get("host", "") if rule.metric.about == "host" else ""
    key = Key(f"rule {rule.name}", names.get("grid", ""), names.get("cloud", ""), host)
    source = names.get("source", "") if rule.metric.key.endswith("source_failed") else ""
    producers = frozenset({source if source in PRODUCERS else rule.metric.producer})
    return Condition(key, LEVELS[rule.level], text, tuple(names.values()), "", producers=producers)


def _failing(rule: AlertRule, channels: Iterable[ChannelState]) -> Iterator[Seen]:
    for one in channels:
        if one.failures >= FAILING_FROM:
            key = AlertKey(rule.name, place_of([f"channel {one.name}"]))
            text = f"channel {one.name} has failed {FAILING_FROM} times in a row or more: {one.error}"
            yield Seen(key, text, not_to=frozenset({one.name}))


def _is_unknown(key: AlertKey, rules: Mapping[str, AlertRule], health: Health) -> bool:
    """Of an alert that is not seen: whether what it is on may hold all the same."""
    rule = rules.get(key.rule)
    if rule is None or rule.when in (CHANNEL_FAILING, AZURE_CRITICAL, AZURE_WARNING):
        return False
    if health.view.snapshot.is_empty and rule.when != POLL_FAILING:
        return True
    if rule.when:
        return health.is_unknown(key_of(rule.when, key.place))
    silent = (Key(POLL_FAILING), Key(GRID_SILENT, key_of("", key.place).grid))
    return any(one.key in silent for one in health.conditions)


def key_of(kind: str, place: str) -> Key:
    """The inverse of `place_of_key` for a condition of this kind."""
    grid, *below = (unquote(name, errors="surrogatepass") for name in place.split("/"))
    if kind == HEARTBEAT_LOST and below:
        return Key(kind, grid, host="/".join(below[:-1]), part=below[-1])
    if kind in _OF_CLOUD:
        return Key(kind, grid, cloud="/".join(below))
    return Key(kind, grid, host="/".join(below))


def plot_targets(key: AlertKey, rule: AlertRule | None) -> tuple[str, ...]:
    """Those of its place; none where nothing is stored of it."""
    if rule is None:
        return ()
    if rule.figure:
        names = [unquote(name, errors="surrogatepass") for name in key.place.split("/")]
        if len(names) != len(rule.names) or not all(map(is_clean, names)):
            return ()
        filled = dict(zip(rule.names, names, strict=True))
        paths = filter(None, (rule.figure, rule.of, rule.minus))
        return tuple(path.format(**filled) for path in paths)
    return _of_condition(key_of(rule.when or "", key.place))


def _of_condition(key: Key) -> tuple[str, ...]:
    if key.kind == POLL_FAILING or not all(map(is_clean, filter(None, key[1:]))) or not key.grid:
        return ()
    grid = f"{ROOT}.{key.grid}"
    host = f"{grid}.hosts.{key.host}" if key.host else grid
    if key.kind == HEARTBEAT_LOST and key.part:
        return (f"{host}.heartbeat.{key.part}",)
    if key.kind in _OF_CLOUD and key.cloud:
        return (f"{grid}.clouds.{key.cloud}.{_OF_CLOUD[key.kind]}",)
    if key.kind in _OF_HOST:
        return (f"{host}.{_OF_HOST[key.kind]}",)
    return tuple(f"{grid}.{path}" for path in _OF_GRID.get(key.kind, ()))
