"""What a plot or export would cost the store, reckoned from the known paths before it is asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import islice

from cloud_monitor.metrics.paths import STEP_S
from webapp.errors import RequestRefused
from webapp.graphite.targets import ANY, PlotTarget
from webapp.graphite.timerange import Range

_DAY_S = 86400
# What stores commonly keep (embedded/store.py): up to this age, a point every so many seconds.
_KEPT = ((30 * _DAY_S, STEP_S), (366 * _DAY_S, 600))
_COARSEST_S = 3600


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
    if not target.is_sum:
        return 1
    pattern = re.compile(r"[^.]+".join(map(re.escape, target.text.split(ANY))))
    matching = islice(filter(pattern.fullmatch, paths), enough)
    return max(1, sum(1 for _ in matching))


def _explain(total: int, each: int, heaviest: str, span: Range, points_max: int) -> str:
    days = (span.until_s - span.from_s) / _DAY_S
    narrow = f"names in place of * in {heaviest[:200]}" if ANY in heaviest else "fewer targets"
    return (
        f"{total:,} series or more over {days:.3g} days are {total * each:,} stored points, and "
        f"{points_max:,} are read at once: choose a shorter range or {narrow}"
    )
