"""From which value on a figure is a warning, and from which it is bad: defaults, and a check of others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple


class Threshold(NamedTuple):
    warn: float
    bad: float


DEFAULTS: Mapping[str, Threshold] = {
    "vms_error": Threshold(1, 10),  # VMs of a cloud in state error
    "vms_lost": Threshold(1, 10),
    "vms_unreg": Threshold(3, 20),  # one or two are on their way into the pool most of the time
    "held_pct": Threshold(10, 50),  # held jobs, of all jobs of a grid
    "cpu_pct": Threshold(80, 95),
    "ram_pct": Threshold(75, 90),
    "swap_pct": Threshold(25, 75),
    "disk_pct": Threshold(80, 90),
    "spool_age_s": Threshold(300, 3600),  # age of the oldest figure that waits to be delivered
    "clock_ahead_s": Threshold(30, 180),  # a host's clock, of the store's
    "fleet_held": Threshold(1, 2),  # 1 while the whole fleet is held
    "chunks_failed": Threshold(1, 10),  # chunks of the fleet that were given up
}


def tone_of(threshold: Threshold, value: float | None) -> str:
    """The class of a value's cell: `w` from the warning on, `b` where it is bad."""
    if value is None or value < threshold.warn:
        return ""
    return "b" if value >= threshold.bad else "w"


def complete_thresholds(given: Mapping[str, tuple[float, float]]) -> dict[str, Threshold]:
    """The defaults with the given ones in their place. Raises ValueError naming a malformed one."""
    for name, (warn, bad) in given.items():
        if name not in DEFAULTS:
            raise ValueError(f"no threshold is called {name!r}; there are {', '.join(DEFAULTS)}")
        if not (math.isfinite(warn) and math.isfinite(bad) and 0 <= warn <= bad):
            raise ValueError(f"{name}: {warn}, {bad} is not a pair of a warning and a higher bad value")
    return {**DEFAULTS, **{name: Threshold(*pair) for name, pair in given.items()}}
