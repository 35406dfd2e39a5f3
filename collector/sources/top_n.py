"""Keep open-ended names from growing a tree of metrics without end: the largest stay, the rest is summed.

A name that is gone is sent as 0 for a day, so what a run may add must depend on what the day has seen: with a
cap per run alone, fifty new groups a minute would be 72,000 names a day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from cloud_monitor.metrics.paths import build_path, clean

OTHER = "other"  # reserved: clean() never makes it of a name
REST = "\0"  # raw, as no name can be: what could not be told apart


class TopNames(NamedTuple):
    """Counts by (clean name, status); `overflow` names were summed into "other"."""

    counts: dict[tuple[str, str], int]
    overflow: int


def top_names(counts: Mapping[tuple[str, str], int], names_max: int) -> TopNames:
    """Keep the names_max names with the most jobs (of equal ones the first by name). Input names are raw."""
    totals: Counter[str] = Counter()
    for (name, _), count in counts.items():
        totals[name] += count
    rest = totals.pop(REST, 0)
    kept = {name: clean(name) for name in sorted(totals, key=lambda name: (-totals[name], name))[:names_max]}
    shown: Counter[tuple[str, str]] = Counter()
    for (name, status), count in counts.items():
        shown[kept.get(name, OTHER), status] += count
    return TopNames(dict(shown), len(totals) - len(kept) + (rest > 0))


def cap_names(
    grid: str, values: Sequence[tuple[str, float]], seen: Iterable[str], names_max: int
) -> list[tuple[str, float]]:
    """Values with at most names_max users, groups and hold reasons each; names in `seen` (paths of the last
    day) keep their place, and use it up."""
    paths = tuple(seen)
    kept = list(values)
    for family, stem, other in (
        ("users", f"grids.{grid}.users.", OTHER),
        ("groups", f"grids.{grid}.groups.", OTHER),
        ("", f"grids.{grid}.held.", f"code_{OTHER}"),
    ):
        kept = _cap(grid, kept, paths, names_max, family, stem, other)
    return kept


def cap_batches(
    grid: str, values: Sequence[tuple[str, float]], seen: Iterable[str], batches_max: int
) -> list[tuple[str, float]]:
    """Values with at most `batches_max` batches by name; those in `seen` (paths of the last day) keep their
    place, and use it up. The others are left out, and counted.
    """
    stem, overflow = f"grids.{grid}.fleet.batches.", build_path("fleet_overflow", grid=grid, names="batches")
    before = {path[len(stem) :].partition(".")[0] for path in seen if path.startswith(stem)}
    now = dict.fromkeys(path[len(stem) :].partition(".")[0] for path, _ in values if path.startswith(stem))
    new = [name for name in now if name not in before]
    left_out = set(new[max(0, batches_max - len(before)) :])
    return [
        (path, value + len(left_out) if path == overflow else value)
        for path, value in values
        if not (path.startswith(stem) and path[len(stem) :].partition(".")[0] in left_out)
    ]


def _cap(
    grid: str,
    values: Sequence[tuple[str, float]],
    seen: Sequence[str],
    names_max: int,
    family: str,
    stem: str,
    other: str,
) -> list[tuple[str, float]]:
    before = {path[len(stem) :].partition(".")[0] for path in seen if path.startswith(stem)} - {other}
    sizes: Counter[str] = Counter()
    for path, value in values:
        if path.startswith(stem):
            sizes[path[len(stem) :].partition(".")[0]] += int(value)
    new = sorted(sizes.keys() - before - {other}, key=lambda name: (-sizes[name], name))
    folded = set(new[max(0, names_max - len(before)) :])
    if not folded:
        return list(values)
    sums: Counter[str] = Counter()
    kept = []
    for path, value in values:
        name, dot, status = path[len(stem) :].partition(".") if path.startswith(stem) else ("", "", "")
        if name in folded or name == other:
            sums[f"{stem}{other}{dot}{status}"] += int(value)
        else:
            kept.append((path, value))
    if family:
        overflow = build_path("condor_overflow", grid=grid, names=family)
        kept = [(path, value + len(folded) if path == overflow else value) for path, value in kept]
    return [*kept, *((path, float(value)) for path, value in sums.items())]
