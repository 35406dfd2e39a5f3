"""Join what a poll found with what earlier ones knew: a series that vanished is shown with its age. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cloud_monitor.metrics.paths import PATH_LENGTH_MAX, match_path
from webapp.graphite.series import path_of
from webapp.graphite.steps import Series
from webapp.model.tree import Value

Group = tuple[str, str]  # grid, producer


def is_text(path: str) -> bool:
    """Whether a path has no control characters nor halves of pairs, which no page could be written with, and
    is no longer than a path may be.
    """
    return path.isprintable() and len(path) <= PATH_LENGTH_MAX


def group_of(path: str) -> Group | None:
    """Who writes the series; None for a path outside the catalog, which is not ours to show.

    Names need not be clean: what another collector wrote where a name stands is shown as it is, if it is text
    that can be shown.
    """
    matched = match_path(path) if is_text(path) else None
    if matched is None:
        return None
    metric, names = matched
    return names["grid"], metric.producer


def newest_value(series: Series, known: Mapping[str, Value]) -> Value | None:
    """The newest point with a value of a series, or what is known of its path, under other tags, if that is
    newer; None where there is none.
    """
    path = path_of(series.target)
    best = known.get(path)
    for timestamp, value in reversed(series.points):
        if value is not None and (best is None or (best.timestamp or 0) <= timestamp):
            return Value(path, value, timestamp)
    return best


def carry_forward(
    found: Sequence[Value],
    known: Iterable[Value],
    now: float,
    forget_after_s: float,
    forget_grid_after_s: float,
) -> list[Value]:
    """All that was found, and of the rest that was known what is not forgotten yet.

    A series is forgotten when its own producer has gone on without it for `forget_after_s`: the cloud, host
    or type is gone. When its producer fell silent too it stays, and is stale, for `forget_grid_after_s`.
    """
    present = {value.path for value in found}
    absent = [(group_of(value.path), value) for value in known if value.path not in present]
    if not absent:
        return list(found)
    newest: dict[Group | None, int] = {}
    for group, value in [*((group_of(value.path), value) for value in found), *absent]:
        newest[group] = max(newest.get(group, 0), value.timestamp or 0)
    kept = [
        value
        for group, value in absent
        if group is not None
        and value.timestamp is not None
        and newest[group] - value.timestamp <= forget_after_s
        and now - value.timestamp <= forget_grid_after_s
    ]
    return [*found, *kept]
