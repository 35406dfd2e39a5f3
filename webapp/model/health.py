"""The one judge of health: which conditions hold in a snapshot, and which of them explain the others. Pure.

Pages, events, badges, /metrics and alerts all ask it. Causes and symptoms are decided in one step over one
snapshot: a poll that fails > a grid that is silent > a heartbeat that is lost, with the figures it stands for
> a cloud that cannot be reached > the rest. A cause is at least as bad as its worst symptom, and a place as
the worst below it, so that nothing looks better by getting worse.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple
from urllib.parse import quote, unquote

from cloud_monitor.metrics.catalog import COLLECTOR_SERVICE
from cloud_monitor.system.text import age_text
from webapp.model.options import Threshold, tone_of
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Cloud, Grid, Host, Value

POLL_FAILING = "poll_failing"
GRID_SILENT = "grid_silent"
HEARTBEAT_LOST = "heartbeat_lost"
CLOUD_UNREACHABLE = "cloud_unreachable"
CLOUD_SILENT = "cloud_silent"
CHUNKS_FAILED = "chunks_failed"
FLEET_HELD = "fleet_held"
_EXPLAINS_NOTHING = 5
_ABSENCES = frozenset({GRID_SILENT, HEARTBEAT_LOST, CLOUD_SILENT})


class Level(IntEnum):
    OK = 0
    WARN = 1
    BAD = 2
    STALE = 3  # nothing fresh is known; the worst, so that going quiet never looks like getting better

    @property
    def word(self) -> str:
        return ("ok", "warning", "critical", "no data")[self]

    @property
    def kind(self) -> str:
        return ("ok", "warn", "bad", "stale")[self]


class Key(NamedTuple):
    """What makes two conditions the same one at different times. Empty where a name does not apply.

    The grid's own head node has no host name here; `part` is the service of a heartbeat.
    """

    kind: str
    grid: str = ""
    cloud: str = ""
    host: str = ""
    part: str = ""

    @property
    def text(self) -> str:
        """As one word: names may hold anything, so they are quoted."""
        return "/".join(quote(name, safe="", errors="surrogatepass") for name in self).rstrip("/")

    @staticmethod
    def parse(text: str) -> Key:
        """The inverse of `text`. Raises ValueError."""
        names = [unquote(name, errors="surrogatepass") for name in text.split("/")]
        if not names[0] or len(names) > len(Key._fields):
            raise ValueError(f"{text[:200]!r} is not the key of a condition")
        return Key(*names)

    @property
    def rank(self) -> int:
        """How much it may explain: the lower, the more."""
        if self.kind == HEARTBEAT_LOST:
            return 2 if self.part == COLLECTOR_SERVICE else 3
        return {POLL_FAILING: 0, GRID_SILENT: 1, CLOUD_UNREACHABLE: 4}.get(self.kind, _EXPLAINS_NOTHING)

    @property
    def may_explain(self) -> bool:
        return self.rank < _EXPLAINS_NOTHING


class Since(NamedTuple):
    """Since when a condition holds (epoch seconds), and how often it has gone and come back meanwhile."""

    began: float
    flaps: int


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now. `where` begins with the grid's name as it is shown."""

    key: Key
    level: Level
    text: str
    where: tuple[str, ...]
    over: str  # what is said when it has ended
    tells_age: bool = False  # the text itself says for how long
    producers: frozenset[str] = frozenset()  # whose figures it is read from
    is_of_host: bool = False  # about a head node, not about the grid at large or a cloud of it
    cause: Key | None = None  # what explains it altogether; None: it is a cause itself

    @property
    def full_text(self) -> str:
        """With the names below the grid: `cloud-a: 3 VMs in error`."""
        return Finding(self.level, self.text, self.where[1:] if self.key.grid else self.where).text


@dataclass(frozen=True, slots=True)
class Finding:
    """How something is doing, as a page shows it."""

    level: Level
    reason: str = ""
    where: tuple[str, ...] = ()  # the child that is the cause, outermost name first
    since: str = ""  # for how long, where that is known and not in the reason
    symptoms: tuple[Finding, ...] = ()

    @property
    def text(self) -> str:
        """The cause in words: `cloud-a: 3 VMs in error`; empty where all is well."""
        return f"{' / '.join(self.where)}: {self.reason}" if self.where else self.reason


OK = Finding(Level.OK)


def worst(findings: Iterable[Finding]) -> Finding:
    """The worst finding; of equally bad ones the first."""
    return max(findings, key=lambda finding: finding.level, default=OK)


@dataclass(frozen=True, slots=True)
class HealthRules:
    """What an operator may change: from where on a figure is wrong, and how things are called."""

    thresholds: Mapping[str, Threshold]
    grid_names: Mapping[str, str] = field(default_factory=dict)
    heartbeat_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """What was found in one snapshot; built by webapp.model.judge.

    `conditions` are all that hold: causes first, the worst first, each followed by its symptoms. A condition
    that is unknown, since what it is read from is old, is not said to hold, and not to be over either.
    """

    view: SnapshotView
    rules: HealthRules
    conditions: tuple[Condition, ...]
    unknown: frozenset[Key] = frozenset()
    since: Mapping[Key, Since] = field(default_factory=dict)

    @cached_property
    def _by_key(self) -> dict[Key, Condition]:
        return {condition.key: condition for condition in self.conditions}

    @cached_property
    def _by_grid(self) -> dict[str, list[Condition]]:
        found: dict[str, list[Condition]] = {}
        for condition in self.conditions:
            found.setdefault(condition.key.grid, []).append(condition)
        return found

    @property
    def causes(self) -> tuple[Condition, ...]:
        return tuple(condition for condition in self.conditions if condition.cause is None)

    @cached_property
    def explaining(self) -> tuple[Key, ...]:
        """Causes that may explain others, what explains most first."""
        keys = (one.key for one in self.causes if one.key.may_explain)
        return tuple(sorted(keys, key=lambda key: key.rank))

    @property
    def is_poll_failing(self) -> bool:
        return Key(POLL_FAILING) in self._by_key

    def is_unknown(self, key: Key) -> bool:
        """Whether nothing can be said of it now. What absence of data alone explains is unknown, too."""
        if key.kind == POLL_FAILING:
            return False
        if self.is_poll_failing or self.view.snapshot.is_empty:
            return True
        silent = Key(GRID_SILENT, key.grid)
        return key in self.unknown or (key != silent and silent in self._by_key)

    def grid_label(self, grid: str) -> str:
        return self.rules.grid_names.get(grid, grid)

    def heartbeat_label(self, service: str) -> str:
        return self.rules.heartbeat_names.get(service, service)

    def tone(self, threshold: str, value: Value | None) -> str:
        """The class of a figure's cell by its threshold; none for what is not fresh."""
        if value is None or not self.view.is_fresh(value):
            return ""
        return tone_of(self.rules.thresholds[threshold], value.value)

    def grid(self, grid: Grid) -> Finding:
        return self._lead(self._by_grid.get(grid.name, ()), 1)

    def cloud(self, cloud: Cloud) -> Finding:
        return self._lead(self._of_cloud(cloud), 2)

    def host(self, grid: Grid, host: Host) -> Finding:
        return self._lead(self._of_host(grid, host), 2)

    def findings(self) -> tuple[Finding, ...]:
        """One finding for each cause, the worst first, with its symptoms below it."""
        return self._nest(self.conditions, 0)

    def grid_findings(self, grid: Grid) -> tuple[Finding, ...]:
        """The causes of what is not well in a grid, be they in it or above it."""
        return self._nest(self._by_grid.get(grid.name, ()), 1)

    def cloud_findings(self, cloud: Cloud) -> tuple[Finding, ...]:
        return self._nest(self._of_cloud(cloud), 2)

    def host_findings(self, grid: Grid, host: Host) -> tuple[Finding, ...]:
        return self._nest(self._of_host(grid, host), 2)

    def fleet_findings(self, without: Collection[str] = ()) -> tuple[Finding, ...]:
        """Those of the worker fleet, in all grids; `without` are kinds that another source tells better."""
        found = [one for one in self.conditions if one.key.part == "fleet" or one.producers == {"fleet"}]
        return self._nest((one for one in found if one.key.kind not in without), 0)

    def since_text(self, condition: Condition) -> str:
        """For how long it holds, where the text does not say it; and whether it comes and goes."""
        since = self.since.get(condition.key)
        if since is None:
            return ""
        age_s = self.view.as_of - since.began
        age = "" if condition.tells_age or age_s < 60 else f"for {age_text(age_s)}"
        flaps = f"on and off {since.flaps} times" if since.flaps else ""
        return ", ".join(filter(None, (age, flaps)))

    def _of_cloud(self, cloud: Cloud) -> list[Condition]:
        return [one for one in self._by_grid.get(cloud.grid, ()) if one.key.cloud == cloud.name]

    def _of_host(self, grid: Grid, host: Host) -> list[Condition]:
        name = "" if host is grid.own else host.name
        found = self._by_grid.get(grid.name, ())
        return [one for one in found if one.key.host == name and one.is_of_host]

    def _lead(self, conditions: Sequence[Condition], depth: int) -> Finding:
        """The finding of a place: as bad as the worst there; for what is absent its cause speaks."""
        if not conditions:
            return OK
        lead = min(conditions, key=lambda one: (-one.level, one.key.rank))
        cause = self._by_key[lead.cause] if lead.cause and lead.key.kind in _ABSENCES else lead
        return replace(self._finding(cause, depth), level=lead.level)

    def _nest(self, conditions: Iterable[Condition], depth: int) -> tuple[Finding, ...]:
        groups: dict[Key, list[Condition]] = {}
        for condition in conditions:
            group = groups.setdefault(condition.cause or condition.key, [])
            if condition.cause:
                group.append(condition)
        return tuple(self._finding(self._by_key[key], depth, symptoms) for key, symptoms in groups.items())

    def _finding(self, condition: Condition, depth: int, symptoms: Iterable[Condition] = ()) -> Finding:
        """`depth` is how many names the place of the finding stands for already."""
        return Finding(
            condition.level,
            condition.text,
            condition.where[depth:] if condition.key.grid else condition.where,
            self.since_text(condition),
            tuple(self._finding(symptom, depth) for symptom in symptoms),
        )
