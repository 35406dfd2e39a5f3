"""Memory by pages, as the kernel hands it out: how many there are, are free, and how broken up those are."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path

HUGE_ORDER = 9  # blocks of 2**9 pages, 2 MiB of 4 KiB pages: what a huge page takes


@dataclass(frozen=True, slots=True)
class MemoryPages:
    total: int
    free: int
    free_in_small_blocks: int  # of the free ones, those that no huge page can be made of

    @property
    def fragmentation_pct(self) -> float:
        return 100.0 * self.free_in_small_blocks / self.free if self.free else 0.0


def read_memory_pages(proc: Path = Path("/proc")) -> MemoryPages | None:
    """None where the kernel does not tell: in many containers."""
    try:
        buddies = (proc / "buddyinfo").read_text().splitlines()
        lines = (proc / "meminfo").read_text().splitlines()
    except OSError:
        return None
    total_kib = next((int(line.split()[1]) for line in lines if line.startswith("MemTotal:")), 0)
    free = small = 0
    for line in buddies:  # Node 0, zone Normal 12 7 3 ...: free blocks by order
        for order, blocks in enumerate(line.split()[4:]):
            pages = int(blocks) << order
            free += pages
            small += pages if order < HUGE_ORDER else 0
    if not total_kib or not buddies:
        return None
    return MemoryPages(total_kib * 1024 // resource.getpagesize(), free, small)
