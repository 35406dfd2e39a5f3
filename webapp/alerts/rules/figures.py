"""Which rules on figures hold in a snapshot, at which places (pure)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from cloud_monitor.system.text import format_number
from webapp.alerts.model import AlertKey, Samples, place_of
from webapp.alerts.rules.rules import AlertRule
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Value

Names = tuple[str, ...]


class FoundFigure(NamedTuple):
    """A figure that is beyond its limit. `names` are those of its path."""

    key: AlertKey
    text: str
    value: float
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FiguresSeen:
    found: tuple[FoundFigure, ...]
    unknown: frozenset[AlertKey]
    samples: Samples


class _Index:
    """Paths by their number of names and any one of them, so that a rule looks at few."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values
        self._by_name: defaultdict[tuple[int, int, str], list[str]] = defaultdict(list)
        for path in values:
            segments = path.split(".")
            for at, segment in enumerate(segments):
                self._by_name[len(segments), at, segment].append(path)
        self._sums: dict[str, dict[Names, Value]] = {}

    def sums(self, template: str) -> dict[Names, Value]:
        """What the template's open names are -> the sum over its `*`, as old as the oldest figure in it."""
        if template not in self._sums:
            self._sums[template] = self._sum(template)
        return self._sums[template]

    def _sum(self, template: str) -> dict[Names, Value]:
        segments = template.split(".")
        literals = [(at, one) for at, one in enumerate(segments) if "{" not in one and one != "*"]
        lists = (self._by_name.get((len(segments), at, one), ()) for at, one in literals)
        matches = _pattern(segments).match
        found: dict[Names, Value] = {}
        for path in min(lists, key=len, default=()):
            match = matches(path)
            if match is None:
                continue
            value, names = self._values[path], match.groups()
            if value.value is None or value.timestamp is None:
                continue
            before = found.get(names)
            if before is not None and before.value is not None and before.timestamp is not None:
                value = Value(template, before.value + value.value, min(before.timestamp, value.timestamp))
            found[names] = value
        return found


def _pattern(segments: Sequence[str]) -> re.Pattern[str]:
    parts = [
        re.sub(r"\\\{[a-z]+\\\}", "([^.]+)", re.escape(one)) if one != "*" else "[^.]+" for one in segments
    ]
    return re.compile(r"\.".join(parts) + r"\Z")


def judge_figures(
    rules: Iterable[AlertRule],
    view: SnapshotView,
    open_keys: frozenset[AlertKey],
    samples: Samples,
    now: float,
) -> FiguresSeen:
    """`open_keys` are of alerts that have begun: those are over when they have come down to `clear`."""
    index = _Index(view.snapshot.values)
    found: list[FoundFigure] = []
    unknown: set[AlertKey] = set()
    after: dict[AlertKey, tuple[tuple[float, float], ...]] = {}
    for rule in rules:
        if not rule.figure:
            continue
        for names, value in index.sums(rule.figure).items():
            named = dict(zip(rule.names, names, strict=True))
            key = AlertKey(rule.name, place_of(names))
            if rule.increase_s:
                kept = tuple(one for one in samples.get(key, ()) if now - rule.increase_s <= one[0] <= now)
                if view.is_fresh(value) and value.value is not None and value.timestamp is not None:
                    point = (float(value.timestamp), value.value)
                    kept = (*(one for one in kept if one[0] < point[0]), point)
                after[key] = kept
            amount = _amount(rule, named, value, index, view, after.get(key, ()))
            if amount is None:
                unknown.add(key)
            elif is_beyond(rule, amount, key in open_keys):
                found.append(FoundFigure(key, _text(rule, named, amount), amount, named))
    seen = {one.key for one in found}
    return FiguresSeen(tuple(found), frozenset(unknown - seen), after)


def _amount(
    rule: AlertRule,
    named: Mapping[str, str],
    value: Value,
    index: _Index,
    view: SnapshotView,
    samples: Sequence[tuple[float, float]],
) -> float | None:
    """What is compared with the limit; None where it is not known now, NaN where the rule does not apply."""
    if not view.is_fresh(value) or value.value is None:
        return None
    amount = value.value
    if rule.increase_s:
        return sum(max(0.0, b[1] - a[1]) for a, b in pairwise(samples))
    for template in filter(None, (rule.minus, rule.while_zero, rule.of)):
        names = tuple(named[name] for name in re.findall(r"\{([a-z]+)\}", template))
        other = index.sums(template).get(names)
        if other is not None and not view.is_fresh(other):
            return None
        number = 0.0 if other is None or other.value is None else other.value
        if template == rule.of:
            if number <= 0 or number < rule.at_least:
                return float("nan")
            amount = 100 * amount / number
        elif template == rule.minus:
            amount -= number
        elif number:
            return float("nan")
    return amount


def is_beyond(rule: AlertRule, amount: float, has_begun: bool) -> bool:
    """Whether the limit is passed, or what has begun has not come back to `clear` yet."""
    if rule.above is not None:
        limit = rule.clear if has_begun and rule.clear is not None else rule.above
        return amount > limit
    limit = rule.clear if has_begun and rule.clear is not None else rule.below or 0.0
    return amount < limit


def _text(rule: AlertRule, named: Mapping[str, str], amount: float) -> str:
    limit = rule.above if rule.above is not None else rule.below or 0.0
    unit = "%" if rule.of else rule.metric.unit if rule.metric else ""
    template = rule.text or f"{{value}} {unit}, limit {{limit}}".replace("  ", " ")
    words = {
        "value": format_number(round(amount, 2)),
        "limit": format_number(limit),
        "place": "/".join(named.values()),
    }
    return template.format_map({**named, **words})
