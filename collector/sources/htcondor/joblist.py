"""A bounded list of single jobs, for the status page, in a child of its own: the counts stand if it fails.

Where they are not too many, one query of each schedd gives all jobs as they are at one moment. Else each
status is asked for by itself, up to its share of the room: held jobs first, but never hiding all others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cloud_monitor.htcondor.bindings import Ad, find_schedd, query_groups, query_jobs, text_of
from cloud_monitor.htcondor.job_status import (
    COMPLETED,
    HELD,
    IDLE,
    REMOVED,
    RUNNING,
    SUSPENDED,
    TRANSFERRING_OUTPUT,
    status_of,
)
from cloud_monitor.system.text import one_line
from collector.inventory.shares import even_shares, shares_by_interest
from collector.model import Collected, CondorJob
from collector.settings import CondorSettings
from collector.sources.cloudscheduler.fields import COUNT_MAX, YEAR_2100_S
from collector.sources.htcondor.jobs import SCHEDDS_SETTING, group_of, hash_user
from collector.sources.htcondor.jobtypes import JobTypes
from collector.sources.htcondor.placements import host_of

_FIRST, _LAST = (HELD, RUNNING, IDLE, TRANSFERRING_OUTPUT, SUSPENDED), (COMPLETED, REMOVED)

_ATTRIBUTES = (
    "ClusterId", "ProcId", "JobStatus", "Owner", "QDate", "EnteredCurrentStatus", "RemoteHost",
    "LastRemoteHost", "HoldReasonCode", "NumJobStarts",
)  # fmt: skip
_TEXTS = ("HoldReason", "AccountingGroup")  # that users may make as long as they like
_TEXT_LENGTH_MAX = 4000  # a longer one stays with the schedd, so that it cannot fill this process
_TYPES_MAX = 32


class Schedd(NamedTuple):
    name: str
    handle: Any
    jobs: Mapping[int, int]  # JobStatus -> number


def collect(settings: CondorSettings) -> Collected:
    room, job_types = settings.inventory_jobs_max, JobTypes(settings.job_types)
    schedds = [find_counted(name, settings.condor_collectors) for name in settings.condor_schedds or ("",)]
    found: dict[tuple[Any, ...], tuple[Schedd, Ad]] = {}
    for schedd, constraint, limit in plan_queries(schedds, room):
        for ad in query_ads(schedd, constraint, limit, job_types):
            found.setdefault((schedd.name, ad.get("ClusterId"), ad.get("ProcId")), (schedd, ad))
    ads = sorted(found.values(), key=lambda row: interest_of(row[1].get("JobStatus")))
    jobs = tuple(read_job(ad, schedd.name, job_types, settings) for schedd, ad in ads[:room])
    total = sum(sum(schedd.jobs.values()) for schedd in schedds)
    return Collected(jobs=jobs, jobs_cut=max(total, len(found)) > room)


def find_counted(name: str, pools: Sequence[str]) -> Schedd:
    handle = find_schedd(name, pools, SCHEDDS_SETTING)
    groups = query_groups(handle, name, ["JobStatus"])
    counts: Counter[int] = Counter()
    for group in groups:
        if isinstance(status := group.get("JobStatus"), int):
            counts[status] += group.get("JobCount", 0)
    return Schedd(name, handle, counts)


def plan_queries(schedds: Sequence[Schedd], room: int) -> Iterator[tuple[Schedd, str, int]]:
    """(schedd, constraint, most jobs) of each query that is to be made."""
    statuses = sorted({status for schedd in schedds for status in schedd.jobs}, key=interest_of)
    numbers = [[schedd.jobs.get(status, 0) for schedd in schedds] for status in statuses]
    wanted = [sum(row) for row in numbers]
    if sum(wanted) <= room:
        yield from ((schedd, "true", room + 1) for schedd in schedds)  # the queue may have grown since
        return
    for status, row, share in zip(statuses, numbers, shares_by_interest(wanted, room), strict=True):
        for schedd, limit in zip(schedds, even_shares(row, share), strict=True):
            if limit:
                yield schedd, f"JobStatus == {status}", limit


def interest_of(status: object) -> int:
    """The smaller, the more it is looked for."""
    if status in _FIRST:
        return _FIRST.index(status)
    return len(_FIRST) + 1 + _LAST.index(status) if status in _LAST else len(_FIRST)


def query_ads(schedd: Schedd, constraint: str, limit: int, job_types: JobTypes) -> Iterator[Ad]:
    texts = (*_TEXTS, *job_types.attributes)
    oversized = " || ".join(f"(size({text}) > {_TEXT_LENGTH_MAX}) =?= true" for text in texts)
    sized = query_jobs(
        schedd.handle, schedd.name, f"({constraint}) && !({oversized})", [*_ATTRIBUTES, *texts], limit
    )
    yield from sized
    if len(sized) < limit:
        left = limit - len(sized)
        for ad in query_jobs(
            schedd.handle, schedd.name, f"({constraint}) && ({oversized})", _ATTRIBUTES, left
        ):
            ad["HoldReason"] = f"(a text of this job is longer than {_TEXT_LENGTH_MAX} characters)"
            yield ad


def read_job(ad: Ad, schedd: str, job_types: JobTypes, settings: CondorSettings) -> CondorJob:
    owner, user = text_of(ad.get("Owner")), ""
    if settings.condor_users != "hidden":
        key = settings.condor_users_key.get_secret_value().encode()
        user = hash_user(owner, key) if settings.condor_users == "hashed" else owner
    held = ad.get("JobStatus") == HELD
    reason = text_of(ad.get("HoldReason")) if held else ""
    group = group_of(text_of(ad.get("AccountingGroup")), owner)
    if settings.condor_users != "shown":
        reason = hide_name(reason, owner, user or "user")
        group = "" if group == owner else group  # a group of one, by his name
    return CondorJob(
        id=f"{ad.get('ClusterId')}.{ad.get('ProcId')}",
        schedd=one_line(schedd),
        status=status_of(ad.get("JobStatus")),
        types=job_types.of(ad)[:_TYPES_MAX],
        user=one_line(user),
        group=one_line(group),
        queued_at=_integer_of(ad.get("QDate"), 1, YEAR_2100_S),
        since=_integer_of(ad.get("EnteredCurrentStatus"), 1, YEAR_2100_S),
        host=one_line(host_of(ad.get("RemoteHost"))),
        last_host=one_line(host_of(ad.get("LastRemoteHost"))),
        hold_code=_integer_of(ad.get("HoldReasonCode"), -COUNT_MAX, COUNT_MAX) if held else None,
        hold_reason=one_line(reason),
        starts=_integer_of(ad.get("NumJobStarts"), 0, COUNT_MAX) or 0,
    )


def hide_name(text: str, name: str, substitute: str) -> str:
    """Hold reasons hold names of files, and these the names of users."""
    return re.sub(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", substitute, text, flags=re.I) if name else text


def _integer_of(value: object, least: int, bound: int) -> int | None:
    """An integer from `least` on, below `bound`: users may set their jobs' attributes to anything. (Undefined
    and error are integers of an enumeration in Python.)"""
    return value if type(value) is int and least <= value < bound else None
