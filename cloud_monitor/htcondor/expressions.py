"""What is wrong with ClassAd expressions that people wrote, told before anything is asked with them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cloud_monitor.htcondor.bindings import is_error, parse_expression

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
