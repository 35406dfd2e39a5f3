"""A bounded list of single jobs, for the status page, in a child of its own: the counts stand if it fails.

Where they are not too many, one query of each schedd gives all jobs as they are at one moment. Else each
status is asked for by itself, up to its share of the room: held jobs first, but never hiding all others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from cloud_monitor.htcondor.ads import Ad
from cloud_monitor.htcondor.bindings import find_schedd, limit_query_time, query_groups, query_jobs, text_of
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
from cloud_monitor.inventory import YEAR_2100_S
from cloud_monitor.system.text import one_line
from collector.model import Collected, CondorJob
from collector.settings import CondorSettings
from collector.sources.cloudscheduler.fields import COUNT_MAX
from collector.sources.htcondor.jobs import ANSWER_SHARE, QUERY_SHARE, SCHEDDS_SETTING, hash_user, told_errors
from collector.sources.htcondor.jobtypes import JobTypes
from collector.sources.htcondor.peers import ask_each
from collector.sources.htcondor.placements import host_of
from collector.sources.htcondor.tally import group_of
from collector.sources.shares import even_shares, shares_by_interest

_FIRST, _LAST = (HELD, RUNNING, IDLE, TRANSFERRING_OUTPUT, SUSPENDED), (COMPLETED, REMOVED)

_ATTRIBUTES = (
    "ClusterId", "ProcId", "JobStatus", "Owner", "QDate", "EnteredCurrentStatus", "RemoteHost",
    "LastRemoteHost", "HoldReasonCode", "NumJobStarts",
)  # fmt: skip
_TEXTS = (
    "HoldReason",
    "AccountingGroup",
    "AcctGroup",
    "AcctGroupUser",
)  # that users may make as long as they like
_TEXT_LENGTH_MAX = 4000  # a longer one stays with the schedd, so that it cannot fill this process
_TYPES_MAX = 32


class Schedd(NamedTuple):
    name: str
    jobs: Mapping[int, int]  # JobStatus -> number


def collect(settings: CondorSettings) -> Collected:
    """Each schedd is asked twice: how many jobs it has, then for its share of the room."""
    room, job_types = settings.inventory_jobs_max, JobTypes(settings.job_types)
    limit_query_time(settings.condor_collectors, QUERY_SHARE * settings.source_timeout_s)
    names = tuple(dict.fromkeys(settings.condor_schedds)) or ("",)
    timeout_s = ANSWER_SHARE * settings.source_timeout_s / 2
    counted = ask_each(names, partial(count_jobs, settings), timeout_s)
    schedds = [Schedd(name, dict(rows)) for name, rows in counted.given.items()]
    queries: dict[str, list[tuple[str, int]]] = {schedd.name: [] for schedd in schedds}
    for schedd, constraint, limit in plan_queries(schedds, room):
        queries[schedd.name].append((constraint, limit))
    listed = ask_each(tuple(queries), partial(_list_jobs, settings, job_types, queries), timeout_s)
    rows = [row for own in listed.given.values() for row in own]
    jobs = [
        CondorJob._make([*row[:3], tuple(row[3]), *row[4:]]) for _, row in sorted(rows, key=itemgetter(0))
    ]
    total = sum(sum(schedd.jobs.values()) for schedd in schedds)
    errors = (*counted.errors, *listed.errors)
    return Collected(
        jobs=tuple(jobs[:room]),
        jobs_cut=max(total, len(jobs)) > room or bool(errors),
        complaints=told_errors("schedds", names, errors),
        notes=tuple(dict.fromkeys((*counted.notes, *listed.notes))),
    )


def count_jobs(settings: CondorSettings, name: str) -> list[tuple[int, int]]:
    """(JobStatus, number)."""
    handle = find_schedd(name, settings.condor_collectors, SCHEDDS_SETTING)
    counts: Counter[int] = Counter()
    for group in query_groups(handle, name, ["JobStatus"]):
        if type(status := group.get("JobStatus")) is int:
            counts[status] += group.get("JobCount", 0)
    return list(counts.items())


def _list_jobs(
    settings: CondorSettings,
    job_types: JobTypes,
    queries: Mapping[str, Sequence[tuple[str, int]]],
    name: str,
) -> list[tuple[int, CondorJob]]:
    """Jobs with how much they are looked for."""
    if not queries[name]:
        return []
    handle = find_schedd(name, settings.condor_collectors, SCHEDDS_SETTING)
    found: dict[tuple[Any, ...], tuple[int, CondorJob]] = {}
    for constraint, limit in queries[name]:
        for ad in query_ads(handle, name, constraint, limit, job_types):
            key = ad.get("ClusterId"), ad.get("ProcId")
            if key not in found:
                found[key] = interest_of(ad.get("JobStatus")), read_job(ad, name, job_types, settings)
    return list(found.values())


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


def query_ads(handle: Any, name: str, constraint: str, limit: int, job_types: JobTypes) -> Iterator[Ad]:
    texts = (*_TEXTS, *job_types.attributes)
    oversized = " || ".join(f"(size({text}) > {_TEXT_LENGTH_MAX}) =?= true" for text in texts)
    sized = query_jobs(handle, name, f"({constraint}) && !({oversized})", [*_ATTRIBUTES, *texts], limit)
    yield from sized
    if len(sized) < limit:
        left = limit - len(sized)
        for ad in query_jobs(handle, name, f"({constraint}) && ({oversized})", _ATTRIBUTES, left):
            ad["HoldReason"] = f"(a text of this job is longer than {_TEXT_LENGTH_MAX} characters)"
            yield ad


def read_job(ad: Ad, schedd: str, job_types: JobTypes, settings: CondorSettings) -> CondorJob:
    owner, user = text_of(ad.get("Owner")), ""
    if settings.condor_users != "hidden":
        key = settings.condor_users_key.get_secret_value().encode()
        user = hash_user(owner, key) if settings.condor_users == "hashed" else owner
    held = ad.get("JobStatus") == HELD
    reason = text_of(ad.get("HoldReason")) if held else ""
    group = group_of(ad)
    if settings.condor_users != "shown":
        accounted = text_of(ad.get("AcctGroupUser"))
        for name in dict.fromkeys((owner, accounted)):
            reason = hide_name(reason, name, user or "user")
        group = "" if group in (owner, accounted) else group  # a group of one, by his name
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
    """An integer from `least` on, below `bound`: users may set their jobs' attributes to anything."""
    return value if type(value) is int and least <= value < bound else None
