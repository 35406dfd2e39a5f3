"""What operators set of how figures are shown, with defaults and checks: the columns of the table of
clouds, links to other tools, from which value on a figure is a warning or bad. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol
from urllib.parse import quote

STATES = ("total", "starting", "running", "retiring", "error")
GROUPS = ("others", "idle", "lost", "unreg", "held", "slots")  # others: further VM states, where such VMs are
DEFAULT_COLUMNS = (*STATES, *GROUPS)

_STATE = re.compile(r"[a-z][a-z0-9_]{0,40}\Z")
_OPEN_NAME = re.compile(r"\{(grid|cloud|host|job)\}")


def check_columns(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names as they are. Raises ValueError for one that is neither a group nor could be a VM state."""
    for name in names:
        if not _STATE.match(name):
            raise ValueError(f"{name!r} is no column: VM states and {', '.join(GROUPS)} are")
    if not names or len(set(names)) != len(names):
        raise ValueError("at least one column, and each of them once")
    return names


class LinkTemplate(Protocol):
    """About a grid, cloud, VM or job where its address holds `{grid}` to `{job}`."""

    name: str
    url: str


def open_names(url: str) -> frozenset[str]:
    """What an address leaves open; empty for one that stands on every page."""
    return frozenset(_OPEN_NAME.findall(url))


def links_about(
    links: Iterable[LinkTemplate], about: str, names: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Names and addresses of the links about a grid, cloud, host or job, with what is known filled in."""
    known = {what for what, name in names.items() if name}
    return tuple(
        (link.name, _OPEN_NAME.sub(lambda found: quote(names[found[1]], safe=""), link.url))
        for link in links
        if about in open_names(link.url) <= known
    )


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
