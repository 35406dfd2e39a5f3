"""What a browser may ask to be plotted: paths of the catalog, and sums over names of them. Pure.

No Graphite function, glob or other host ever comes from outside: the expression is built here from a target
whose every segment was checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cloud_monitor.metrics.paths import Metric, PathRefused, parse_path
from webapp.errors import RequestRefused

ANY = "*"  # a whole name: the sum over all that stand there
_STAND_IN = "0"  # a clean name that is a literal of no template


class PlotTarget(NamedTuple):
    text: str
    metric: Metric

    @property
    def expression(self) -> str:
        """What Graphite is asked; its answer carries `text` as the series' name."""
        return f'alias(sumSeries({self.text}),"{self.text}")' if ANY in self.text else self.text


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
