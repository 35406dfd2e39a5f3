"""What a browser may ask to be plotted: paths of the catalog, and sums over names of them. Pure.

No Graphite function, glob or other host ever comes from outside: the expression is built here from a target
whose every segment was checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cloud_monitor.metrics.paths import Metric, PathRefused, parse_path
from cloud_monitor.metrics.statistics import LAST, MAX, MEAN, SUM, Statistic
from webapp.errors import RequestRefused

ANY = "*"  # a whole name: the sum over all that stand there
_FUNCTIONS: Mapping[Statistic, str] = {MEAN: "avg", MAX: "max", LAST: "last", SUM: "sum"}
_STAND_IN = "0"  # a clean name that is a literal of no template


class PlotTarget(NamedTuple):
    text: str
    metric: Metric

    @property
    def is_sum(self) -> bool:
        return ANY in self.text

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
