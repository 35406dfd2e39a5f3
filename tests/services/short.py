"""`make test-fast` tries a fifth of what long lists and searches hold; `make test` all of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

ONE_OF = 5 if "SHORT" in os.environ else 1


def examples(count: int) -> int:
    """Of a Hypothesis search."""
    return max(count // ONE_OF, 5)


def some(items: Sequence[T]) -> list[T]:
    """Every fifth of them, or all."""
    return list(items[::ONE_OF])
