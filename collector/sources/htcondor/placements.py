"""Which hosts run jobs, by type and status; clouds are made of the hosts elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cloud_monitor.htcondor.bindings import query_groups
from cloud_monitor.htcondor.job_status import status_of
from collector.sources.htcondor.jobtypes import JobTypes

ALL = "all"

_SLOT_NAME = "ifThenElse(RemoteHost =!= undefined, RemoteHost, LastRemoteHost)"
_GROUPS_MAX = 20_000  # fetched at once, which bounds memory: 1.4 KB each


def query_placements(
    schedd: Any, name: str, job_types: JobTypes, running: int
) -> Counter[tuple[str, str, str]]:
    """Jobs by (host, type or "all", status): on the host that runs them, else that last ran them."""
    attributes = ["JobStatus", "RemoteHost", "LastRemoteHost", *job_types.attributes]
    counts: Counter[tuple[str, str, str]] = Counter()
    for part in slices(running, _GROUPS_MAX, _SLOT_NAME):
        for group in query_groups(schedd, name, attributes, f"{_SLOT_NAME} =!= undefined && {part}"):
            host = host_of(group.get("RemoteHost") or group.get("LastRemoteHost"))
            for jobtype in (ALL, *job_types.of(group)) if host else ():
                counts[host, jobtype, status_of(group.get("JobStatus"))] += group.get("JobCount", 0)
    return counts


def host_of(slot_name: object) -> str:
    """The machine of slot1_3@machine, or of slot1_3@startd@machine."""
    return slot_name.rpartition("@")[2] if isinstance(slot_name, str) else ""


_DIGITS = {1: [], 2: ["01234"], 5: ["01", "23", "45", "67"], 10: list("012345678")}


def slices(ads: int, ads_max: int, slot_name: str) -> list[str]:
    """Constraints that together select every ad once, some ads_max with each (or a tenth of them).

    slot_name: an expression that gives slot1_3@host.
    """
    parts = next((parts for parts in _DIGITS if ads <= parts * ads_max), 10)
    digits = _DIGITS[parts]
    rest = [f"{_ends_in(''.join(digits), slot_name)} =!= true"] if digits else ["true"]
    return [_ends_in(own, slot_name) for own in digits] + rest


def _ends_in(digits: str, slot_name: str) -> str:
    """The last digit before the host's first dot is one of these. The host is behind the last @, as in
    `host_of`: a startd's name may have dots as well."""
    return f'regexp("@[^.@]*[{digits}][^0-9.@]*([.][^@]*)?$", {slot_name})'
