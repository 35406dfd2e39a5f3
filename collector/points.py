"""One measured value with its place and time: what every source gives and every destination takes."""

from __future__ import annotations

from typing import NamedTuple


class Point(NamedTuple):
    path: str
    timestamp: int  # Unix seconds, floored to paths.STEP_S
    value: float
