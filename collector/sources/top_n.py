"""Keep open-ended names from growing a tree of metrics without end: the largest stay, the rest is summed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from cloud_monitor.metrics.paths import clean

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
