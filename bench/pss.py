"""Proportional memory of process trees: pages that several processes share are counted once in their sum."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_USER_PAGES = 2**47 // PAGE_BYTES  # above lies the kernel's own
_PRESENT, _FRAME = 1 << 63, (1 << 55) - 1  # of an entry of pagemap


def read_tree_pss_mb(pid: int) -> float:
    """PSS in MB of a process and all its descendants; 0 for one that is gone."""
    return sum(_read_pss_kb(member) for member in _tree(pid)) / 1024


def read_alone_mb(roots: Iterable[int]) -> float | None:
    """Memory in MB of these trees as if nothing else ran: each page frame once, whoever else has it mapped.

    None where the kernel does not tell the frames (it tells them to root).
    """
    frames: set[int] = set()
    for root in roots:
        for pid in _tree(root):
            frames |= _read_frames(pid)
    return len(frames) * PAGE_BYTES / 2**20 if frames != {0} else None


def _read_frames(pid: int) -> set[int]:
    found: set[int] = set()
    try:
        ranges = [line.split()[0] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
        with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
            for begin, end in ([int(place, 16) // PAGE_BYTES for place in one.split("-")] for one in ranges):
                if begin < _USER_PAGES:
                    entries = array("Q", os.pread(pagemap.fileno(), (end - begin) * 8, begin * 8))
                    found |= {entry & _FRAME for entry in entries if entry & _PRESENT}
    except OSError:  # ended meanwhile
        pass
    return found


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
