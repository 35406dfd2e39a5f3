"""The values of a series, 8 bytes each: as floats in a list they would take 32. Pure."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence

_GAP = math.nan  # finite numbers are all that is read from a store


class Values:
    """As a list of finite floats; None is a gap."""

    __slots__ = ("_kept",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Iterable[float | None] = ()) -> None:
        self._kept = array("d")
        self.extend(values)

    def extend(self, values: Iterable[float | None]) -> None:
        self._kept.extend(_GAP if value is None else value for value in values)

    def clear_at(self, at: int) -> None:
        self._kept[at] = _GAP

    @property
    def is_empty(self) -> bool:
        """Whether there are gaps only."""
        return all(map(math.isnan, self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[float | None]:
        return (None if math.isnan(value) else value for value in self._kept)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Values | Sequence) else NotImplemented

    def __repr__(self) -> str:
        return f"Values({list(self)})"
