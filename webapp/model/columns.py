"""Which columns the table of clouds has: the default, and a check of what is set."""

from __future__ import annotations

import re

STATES = ("total", "starting", "running", "retiring", "error")
GROUPS = ("others", "idle", "lost", "unreg", "held", "slots")  # others: further VM states, where such VMs are
DEFAULT_COLUMNS = (*STATES, *GROUPS)

_STATE = re.compile(r"[a-z][a-z0-9_]{0,40}\Z")


def check_columns(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names as they are. Raises ValueError for one that is neither a group nor could be a VM state."""
    for name in names:
        if not _STATE.match(name):
            raise ValueError(f"{name!r} is no column: VM states and {', '.join(GROUPS)} are")
    if not names or len(set(names)) != len(names):
        raise ValueError("at least one column, and each of them once")
    return names
