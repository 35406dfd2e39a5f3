"""Splits a directory's images into chunks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def split(names: Sequence[str], most: int) -> list[tuple[str, ...]]:
    """Parts of at most `most` names, in order, whose sizes differ by at most one."""
    if not names:
        return []
    count = -(-len(names) // most)
    size, larger = divmod(len(names), count)
    starts = [number * size + min(number, larger) for number in range(count + 1)]
    return [tuple(names[start:end]) for start, end in pairwise(starts)]
