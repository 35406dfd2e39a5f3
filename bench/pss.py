"""Proportional memory of process trees: pages that several processes share are counted once in their sum."""

from __future__ import annotations

from pathlib import Path


def read_tree_pss_mb(pid: int) -> float:
    """PSS in MB of a process and all its descendants; 0 for one that is gone."""
    return sum(_read_pss_kb(member) for member in _tree(pid)) / 1024


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        found += read_children(parent)
    return found


def read_children(pid: int) -> list[int]:
    """Processes that any thread of it has started and that still run."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:  # ended meanwhile
            continue
    return found


def _read_pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
