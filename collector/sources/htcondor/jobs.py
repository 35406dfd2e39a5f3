"""Jobs of one or several schedds: by status, type, user, accounting group, hold reason and host, and waits.

The schedds count (groups of alike jobs); no job's ad is fetched. A schedd that fails fails the source: sums
over the others would look like jobs that vanished.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cloud_monitor.htcondor.bindings import find_schedd, query_groups, text_of
from cloud_monitor.htcondor.job_status import STATUSES, status_of
from cloud_monitor.metrics.paths import build_path
from collector.model import Collected, Placement
from collector.settings import CondorSettings
from collector.sources.htcondor.jobtypes import JobTypes
from collector.sources.htcondor.placements import query_placements
from collector.sources.htcondor.waits import Wait, query_waits, waits_values
from collector.sources.top_n import top_names

ALL, TOTAL = "all", "total"
SCHEDDS_SETTING = "COLLECTOR_CONDOR_SCHEDDS"

_COUNTED_BY = ("JobStatus", "Owner", "AccountingGroup", "HoldReasonCode")
_GROUPS_MAX = 30_000  # fetched at once, which bounds memory: 1.4 KB each


class JobGroup(NamedTuple):
    """Alike jobs. An absent name is "", an absent code 0 (which HTCondor calls unspecified)."""

    status: str
    owner: str
    group: str
    hold_code: int
    types: tuple[str, ...]
    jobs: int


def collect(settings: CondorSettings, timestamp: int) -> Collected:
    if not settings.owner:
        return Collected()
    job_types = JobTypes(settings.job_types)
    groups: list[JobGroup] = []
    placements: Counter[tuple[str, str, str]] = Counter()
    waits: list[Wait] = []
    for name in settings.condor_schedds or ("",):
        schedd = find_schedd(name, settings.condor_collectors, SCHEDDS_SETTING)
        own = query_job_groups(schedd, name, job_types)
        jobs = count_by_status(own)
        if settings.has_clouds:
            placements.update(query_placements(schedd, name, job_types, running=jobs["running"]))
        if jobs["idle"]:
            waits += query_waits(schedd, name, job_types, time.time())
        groups += own
    return Collected(
        values=(
            *jobs_values(settings.grid, groups, job_types.names),
            *names_values(settings, groups),
            *waits_values(settings.grid, waits, job_types.names),
        ),
        placements=tuple(Placement(*key, jobs) for key, jobs in sorted(placements.items())),
    )


def query_job_groups(
    schedd: Any, name: str, job_types: JobTypes, groups_max: int = _GROUPS_MAX
) -> list[JobGroup]:
    ads = query_groups(schedd, name, [*_COUNTED_BY, *job_types.attributes], limit=groups_max + 1)
    if len(ads) > groups_max:
        raise JobTypesTooFine(
            f"the jobs of schedd {name or 'of this host'} fall into more than {groups_max} groups by "
            f"{', '.join(job_types.attributes)}: use attributes with fewer values in COLLECTOR_JOB_TYPES"
        )
    return [
        JobGroup(
            status=status_of(ad.get("JobStatus")),
            owner=(owner := text_of(ad.get("Owner"))),
            group=group_of(text_of(ad.get("AccountingGroup")), owner),
            hold_code=code if isinstance(code := ad.get("HoldReasonCode"), int) else 0,
            types=job_types.of(ad),
            jobs=ad.get("JobCount", 0),
        )
        for ad in ads
    ]


class JobTypesTooFine(RuntimeError):
    """The expressions of the job types look at attributes that differ from job to job."""


def group_of(accounting_group: str, owner: str) -> str:
    """The group's part of an AccountingGroup, which is `group.subgroup.user` (the user, who may have dots
    before an @, is mostly the owner); one without a dot is a group as a whole."""
    if accounting_group.endswith(f".{owner}"):
        return accounting_group[: -len(owner) - 1]
    name, _, _host = accounting_group.partition("@")
    return name.rpartition(".")[0] or name


def count_by_status(groups: Sequence[JobGroup]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for group in groups:
        counts[group.status] += group.jobs
    return counts


def jobs_values(
    grid: str, groups: Sequence[JobGroup], job_types: Sequence[str]
) -> Iterator[tuple[str, float]]:
    """Every status of every type, also where it is 0: a type is known, whether it has jobs or not."""
    for jobtype in (ALL, *job_types):
        counts = count_by_status([group for group in groups if jobtype == ALL or jobtype in group.types])
        for status in (*STATUSES.values(), *sorted(counts.keys() - set(STATUSES.values()))):
            yield build_path("jobs", grid=grid, jobtype=jobtype, status=status), counts[status]
        yield build_path("jobs", grid=grid, jobtype=jobtype, status=TOTAL), counts.total()


def names_values(settings: CondorSettings, groups: Sequence[JobGroup]) -> Iterator[tuple[str, float]]:
    """Counts under names that jobs bring with them, of each sort the largest only."""
    users: Counter[tuple[str, str]] = Counter()
    accounting_groups: Counter[tuple[str, str]] = Counter()
    codes: Counter[tuple[str, str]] = Counter()
    key = settings.condor_users_key.get_secret_value().encode()
    for group in groups:
        if settings.condor_users != "hidden":
            owner = hash_user(group.owner, key) if settings.condor_users == "hashed" else group.owner
            users[owner, group.status] += group.jobs
        if group.group:
            accounting_groups[group.group, group.status] += group.jobs
        if group.status == "held":
            codes[str(group.hold_code), "held"] += group.jobs
    names_max = settings.condor_names_max
    yield from _status_values(settings.grid, "users", "user", users, names_max)
    yield from _status_values(settings.grid, "groups", "group", accounting_groups, names_max)
    held = top_names(codes, names_max)
    for (code, _), jobs in sorted(held.counts.items()):
        yield build_path("held", grid=settings.grid, code=code), jobs


def _status_values(
    grid: str, metric: str, field: str, counts: Mapping[tuple[str, str], int], names_max: int
) -> Iterator[tuple[str, float]]:
    top = top_names(counts, names_max)
    totals: Counter[str] = Counter()
    for (name, status), jobs in sorted(top.counts.items()):
        totals[name] += jobs
        yield build_path(metric, grid=grid, status=status, **{field: name}), jobs
    for name, jobs in sorted(totals.items()):
        yield build_path(metric, grid=grid, status=TOTAL, **{field: name}), jobs
    yield build_path("condor_overflow", grid=grid, names=metric), top.overflow


def hash_user(name: str, key: bytes) -> str:
    """A pseudonym that only who has the key can tie to a guessed name."""
    return "user-" + hmac.new(key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:12]
