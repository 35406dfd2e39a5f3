"""Counts that vanished: a path that had a value in the last day and has none now is sent as 0.

Without it, the last value of a cloud that was switched off would stand on every page for good. Only counts of
producers that succeeded are filled: what was not read is not zero.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from cloud_monitor.metrics.paths import PathRefused, parse_path
from cloud_monitor.system.files import replace_file

FILL_S = 86_400


def zero_paths(
    seen: Mapping[str, int], now_paths: Collection[str], producers: Collection[str], grid: str, timestamp: int
) -> list[str]:
    """Paths to send as 0. `seen`: when each path last had a value; `producers`: those that succeeded."""
    zeros = []
    for path, last in seen.items():
        if path in now_paths or timestamp - last > FILL_S:
            continue
        with suppress(PathRefused):  # from a version with another catalog
            metric, names = parse_path(path)
            if metric.kind == "count" and metric.producer in producers and names["grid"] == grid:
                zeros.append(path)
    return zeros


def merge_seen(seen: Mapping[str, int], now_paths: Iterable[str], timestamp: int) -> dict[str, int]:
    """What the next run is to know. A clock that was ahead and came back must not keep a path for ever."""
    kept = {path: min(last, timestamp) for path, last in seen.items() if timestamp - last <= FILL_S}
    kept.update(dict.fromkeys(now_paths, timestamp))
    return kept


def read_seen(path: Path) -> dict[str, int]:
    """An absent or unreadable file is an empty one: at worst a vanished count stays silent."""
    try:
        rows = json.loads(path.read_bytes())
        return {str(name): int(last) for name, last in rows.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def write_seen(path: Path, seen: Mapping[str, int]) -> None:
    """Replace the file as a whole, so that a killed run leaves the old one."""
    replace_file(path, json.dumps(seen, separators=(",", ":")).encode())
