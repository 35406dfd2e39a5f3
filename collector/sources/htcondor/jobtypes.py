"""Job types: names that the operator gives to ClassAd expressions, and which of them a job belongs to.

A job belongs to every type whose expression is true of it. The expressions are evaluated here, over one ad
per group of alike jobs, so that types cost the schedd nothing but the attributes they look at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cloud_monitor.htcondor.ads import Ad
from cloud_monitor.htcondor.bindings import is_error, parse_expression, references

_STRING_OR_CALL = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|([A-Za-z_][A-Za-z0-9_]*)\s*\(')
_KEYWORDS = frozenset({"is", "isnt"})

# A function that exists gives something else than an error for one of these; an unknown one never does.
_ARGUMENTS = (
    "", "undefined", "undefined, undefined", "undefined, undefined, undefined", "a", "1", "1.5", "1, 1",
    "undefined, undefined, undefined, undefined", "0, 0", "1, 1, 1", '"a"', '"a", "a"', '"a", "a", "a"',
    '"a b"', '"a@b"', '"A=b"', '"1, 2"', '"1, 2", "1"', '"1.0", "1.0", "1.0"', '"%s", 1', "{1}", '{"a"}',
    "{1}, 1", "1, {1}", '"a", {"a"}', '"<", {1}, 1', "{}, {}", "[], {}", "[]", "x, {[x = 1]}", "relTime(5)",
    'absTime("2020-01-01T00:00:00Z")', "time()",
)  # fmt: skip


def find_faults(expressions: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each faulty expression."""
    faults = {name: _find_fault(text) for name, text in expressions.items()}
    return {name: fault for name, fault in faults.items() if fault}


def _find_fault(text: str) -> str:
    if parse_expression(text) is None:
        return 'is not a ClassAd expression; for example RequestCpus > 1 && Owner =!= "root"'
    calls = {match[1] for match in _STRING_OR_CALL.finditer(text) if match[1]}
    unknown = sorted(name for name in calls if name.lower() not in _KEYWORDS and not _is_function(name))
    return (
        f"calls {', '.join(f'{name}()' for name in unknown)}, which ClassAd does not have" if unknown else ""
    )


def _is_function(name: str) -> bool:
    return any(not is_error(f"{name}({arguments})") for arguments in _ARGUMENTS)


class JobTypes:
    """The configured types, ready to say which of them groups of alike jobs belong to."""

    def __init__(self, expressions: Mapping[str, str]) -> None:
        """expressions: by clean name; `find_faults` has no word about them."""
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
