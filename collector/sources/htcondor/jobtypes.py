"""Job types: names that the operator gives to ClassAd expressions, and which of them a job belongs to.

A job belongs to every type whose expression is true of it. The expressions are evaluated here, over one ad
per group of alike jobs, so that types cost the schedd nothing but the attributes they look at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud_monitor.htcondor.ads import Ad
from cloud_monitor.htcondor.bindings import parse_expression, references


class JobTypes:
    """The configured types, ready to say which of them groups of alike jobs belong to."""

    def __init__(self, expressions: Mapping[str, str]) -> None:
        """expressions: by clean name, each without faults (cloud_monitor.htcondor.expressions)."""
        self._expressions = {name: parse_expression(text) for name, text in expressions.items()}
        self._known: dict[tuple[object, ...], tuple[str, ...]] = {}
        looked_at = {name.lower(): name for tree in self._expressions.values() for name in references(tree)}
        self.attributes = tuple(looked_at[key] for key in sorted(looked_at))  # ClassAd names have no case

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._expressions)

    def of(self, group: Ad) -> tuple[str, ...]:
        """Names of the types that a group belongs to: evaluated once for each combination of attributes."""
        values = group.plain_values(self.attributes)
        if values is None:
            return self._evaluate(group)  # an expression, say, whose value depends on further attributes
        if values not in self._known:
            self._known[values] = self._evaluate(group)
        return self._known[values]

    def _evaluate(self, group: Ad) -> tuple[str, ...]:
        return tuple(name for name, expression in self._expressions.items() if _is_true(group, expression))


def _is_true(group: Ad, expression: Any) -> bool:
    # Inside the ad, so that MY. means the job; undefined and error are not true.
    group["CloudMonitorJobType"] = expression
    value = group.eval("CloudMonitorJobType")
    return type(value) in (bool, int, float) and bool(value)  # undefined and error are of an enumeration
