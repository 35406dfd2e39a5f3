"""Figures that are shares of others. Pure."""

from __future__ import annotations

from webapp.model.tree import Counts, Value


def held_share(counts: Counts) -> Value | None:
    """Held jobs in % of all; None where that cannot be said."""
    held, total = counts.get("held"), counts.get("total")
    if held is None or total is None or held.value is None or not total.value:
        return None
    return Value(held.path, round(100 * held.value / total.value, 1), held.timestamp)
