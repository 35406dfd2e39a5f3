"""Pages of memory from the kernel's own words."""

from __future__ import annotations

import resource
from pathlib import Path

from cloud_monitor.system.memory_pages import MemoryPages, read_memory_pages

BUDDYINFO = """\
Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      2
Node 0, zone   Normal    100     50      0      0      0      0      0      0      0      3      1
"""


def test_free_pages_are_counted_by_the_size_of_their_blocks(tmp_path: Path) -> None:
    (tmp_path / "buddyinfo").write_text(BUDDYINFO)
    (tmp_path / "meminfo").write_text("MemTotal:       16384 kB\nMemFree: 1 kB\n")
    small = 256 + 100 + 2 * 50
    free = small + 512 + 2 * 1024 + 3 * 512 + 1024
    pages = read_memory_pages(tmp_path)
    assert pages == MemoryPages(16384 * 1024 // resource.getpagesize(), free, small)
    assert pages.fragmentation_pct == 100 * small / free
    assert MemoryPages(10, 0, 0).fragmentation_pct == 0


def test_a_kernel_that_does_not_tell_gives_nothing(tmp_path: Path) -> None:
    assert read_memory_pages(tmp_path) is None
    (tmp_path / "buddyinfo").write_text("")
    (tmp_path / "meminfo").write_text("MemTotal: 16384 kB\n")
    assert read_memory_pages(tmp_path) is None
