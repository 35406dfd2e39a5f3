"""Which hosts run jobs, by type and status; clouds are made of the hosts elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cloud_monitor.htcondor.bindings import query_groups
from cloud_monitor.htcondor.job_status import status_of
from collector.settings import Settings
from collector.sources.htcondor.jobtypes import JobTypes
from collector.sources.htcondor.slices import slices

ALL = "all"

_SLOT_NAME = "ifThenElse(RemoteHost =!= undefined, RemoteHost, LastRemoteHost)"
_GROUPS_MAX = 20_000  # fetched at once, which bounds memory: 1.4 KB each


def has_clouds(settings: Settings) -> bool:
    """Whether anything says to which cloud a host belongs."""
    return bool(
        settings.cloud_status_command
        or settings.cloudscheduler_url
        or settings.condor_cloud_attribute
        or settings.condor_cloud_pattern
    )


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
