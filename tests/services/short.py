"""`make test-fast` tries a fifth of what long lists and searches hold, in memory; `make test` all of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_MEMORY = Path("/dev/shm")
_ROOM_MB = 1000  # a run takes less than 300

ONE_OF = 5 if "SHORT" in os.environ else 1


def examples(count: int) -> int:
    """Of a Hypothesis search."""
    return max(count // ONE_OF, 5)


def some(items: Sequence[T]) -> list[T]:
    """Every fifth of them, or all."""
    return list(items[::ONE_OF])


def temporary_root() -> str:
    """Of the tests' folders: a disk that keeps what is synchronised to it takes a fifth of a short run."""
    if ONE_OF > 1 and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_MB * 10**6:
        return str(_MEMORY)
    return tempfile.gettempdir()
