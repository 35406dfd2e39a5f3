"""What a browser may ask to be plotted: paths of the catalog, and sums over names of them; and what that
costs the store, reckoned from the known paths before it is asked. Pure.

No Graphite function, glob or other host ever comes from outside: the expression is built here from a target
whose every segment was checked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from cloud_monitor.metrics.paths import STEP_S, Metric, PathRefused, parse_path
from cloud_monitor.metrics.statistics import LAST, MAX, MEAN, SUM, Statistic
from webapp.errors import RequestRefused
from webapp.graphite.timerange import Range

ANY = "*"  # a whole name: the sum over all that stand there
_FUNCTIONS: Mapping[Statistic, str] = {MEAN: "avg", MAX: "max", LAST: "last", SUM: "sum"}
_DAY_S = 86400
# What stores commonly keep (embedded/store.py): up to this age, a point every so many seconds.
_KEPT = ((30 * _DAY_S, STEP_S), (366 * _DAY_S, 600))
_COARSEST_S = 3600
_STAND_IN = "0"  # a clean name that is a literal of no template


_COUNTED = {"vms": "VMs", "jobs": "jobs", "slots": "slots"}  # units, as words
_STATES = {"unreg": "unregistered"}
_ALL = (ANY, "all", "total")  # names that stand for all that there are


def _all_of(kind: str, name: str) -> str:
    return f"all {kind}" if name == ANY else name


def _count(counted: str, of: str, state: str) -> str:
    what = counted if state in _ALL else f"{state.replace('_', ' ')} {counted}"
    return what if of in _ALL else f"{what}, {of}"


class PlotTarget(NamedTuple):
    text: str
    metric: Metric

    @property
    def is_sum(self) -> bool:
        return ANY in self.text

    @property
    def label(self) -> str:
        """As a legend names it: the grid, and the cloud or host, that it is about, then what it is there."""
        parts = list(zip(self.metric.template.split("."), self.text.split("."), strict=True))[1:]
        place = [_all_of("grids", name) for part, name in parts if part == "{grid}"]
        parts = [(part, name) for part, name in parts if part != "{grid}"]
        if parts[0][0] in ("clouds", "hosts") and len(parts) > 1:
            place.append(_all_of(parts[0][0], parts[1][1]))
            del parts[:2]
        return f"{' / '.join(place)}: {self._describe(parts)}"

    def _describe(self, parts: Sequence[tuple[str, str]]) -> str:
        """What is counted by state, and of which type; else the rest of the path in words."""
        counted = _COUNTED.get(self.metric.unit)
        opened = [part for part, _ in parts if part.startswith("{")]
        if counted and len(parts) == 3 and len(opened) == 2:
            return _count(counted, of=parts[1][1], state=parts[2][1])
        if counted and opened == ["{vmtype}"] and len(parts) == 2:
            return _count(counted, of=parts[1][1], state=_STATES.get(parts[0][1], parts[0][1]))
        names = [name for _, name in parts]
        return " ".join(names[1:] if self.metric.family == "sysinfo" else names).replace("_", " ")

    @property
    def expression(self) -> str:
        """What Graphite is asked for the points as they are kept; the answer's name is `text`."""
        return f'alias(sumSeries({self.text}),"{self.text}")' if self.is_sum else self.text

    def summarized(self, step_s: int, *, from_start: bool = False) -> str:
        """What Graphite is asked for one value a step, by the metric's own statistic.

        Of a sum over names each series is summarized first, then they are summed: only so is the answer the
        same from a store's minutes and from its coarser archives, which summarized each series as well, and
        only so does a series that misses a minute not lower a mean.
        """
        step = f"'{step_s}s','{_FUNCTIONS[self.metric.statistic]}',{'true' if from_start else 'false'}"
        each = f"summarize({self.text},{step})"
        return f'alias({f"sumSeries({each})" if self.is_sum else each},"{self.text}")'

    @property
    def reporting(self) -> str:
        """What Graphite is asked for the number of series that have a value."""
        return f'alias(sumSeries(isNonNull({self.text})),"{self.text}")'


def check_targets(texts: Sequence[str], series_max: int) -> list[PlotTarget]:
    """Check the targets of a request, each once. Raises RequestRefused (400) naming the first bad one."""
    unique = list(dict.fromkeys(texts))
    if not unique:
        raise RequestRefused(
            400, "target_missing", "give at least one target=, a metric path such as grids.G.jobs.all.idle"
        )
    if len(unique) > series_max:
        raise RequestRefused(
            400, "too_many_targets", f"{len(unique)} targets; at most {series_max} are plotted at once"
        )
    return [check_target(text) for text in unique]


def check_target(text: str) -> PlotTarget:
    segments = text.split(".")
    try:
        metric, _ = parse_path(".".join(_STAND_IN if segment == ANY else segment for segment in segments))
    except PathRefused:
        raise RequestRefused(
            400,
            "target_refused",
            f"{text[:200]!r} is not a metric path (docs/metrics.md lists them); * stands for all",
        ) from None
    return PlotTarget(text, metric)


def points_of(span: Range, now: float) -> int:
    """Points that are stored of one series in the range: a store reads the archive that reaches back to its
    start.
    """
    age_s = now - span.from_s
    step_s = next((step_s for kept_s, step_s in _KEPT if age_s <= kept_s), _COARSEST_S)
    return max(1, (span.until_s - span.from_s) // step_s)


def check_work(
    targets: Sequence[PlotTarget], span: Range, now: float, paths: Collection[str], points_max: int
) -> None:
    """Refuse (400) what would have the store read more than `points_max` points, and say what to narrow."""
    each = points_of(span, now)
    series_max = max(1, points_max // each)
    total, heaviest, most = 0, targets[0].text, 0
    for target in targets:
        found = count_series(target, paths, series_max + 1)
        total += found
        if found > most:
            heaviest, most = target.text, found
        if total > series_max:
            raise RequestRefused(400, "too_much_work", _explain(total, each, heaviest, span, points_max))


def count_series(target: PlotTarget, paths: Collection[str], enough: int) -> int:
    """How many of the paths a target reads, at least one; counting ends at `enough`."""
    return max(1, len(paths_of(target, paths, enough)))


def paths_of(target: PlotTarget, paths: Collection[str], enough: int) -> list[str]:
    """The paths that a target reads, at most `enough`; its own where it is no sum."""
    if not target.is_sum:
        return [target.text]
    pattern = re.compile(r"[^.]+".join(map(re.escape, target.text.split(ANY))))
    return list(islice(filter(pattern.fullmatch, paths), enough))


def _explain(total: int, each: int, heaviest: str, span: Range, points_max: int) -> str:
    days = (span.until_s - span.from_s) / _DAY_S
    narrow = f"names in place of * in {heaviest[:200]}" if ANY in heaviest else "fewer targets"
    return (
        f"{total:,} series or more over {days:.3g} days are {total * each:,} stored points, and "
        f"{points_max:,} are read at once: choose a shorter range or {narrow}"
    )
