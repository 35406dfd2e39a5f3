"""Numbers of jobs of one schedd: by type, user, accounting group and hold reason, each with the status.

The schedd counts groups of alike jobs. Where these are too many to fetch, each sort is asked for by itself:
no user's jobs can make the figures of the others fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from cloud_monitor.htcondor.ads import Ad
from cloud_monitor.htcondor.bindings import query_groups, text_of
from cloud_monitor.htcondor.job_status import HELD, status_of
from collector.sources.htcondor.jobtypes import JobTypes
from collector.sources.top_n import REST

ALL = "all"
GROUPS_MAX = 30_000  # fetched at once, which bounds memory: 1.4 KB each

_GROUP_ATTRIBUTES: tuple[str, ...] = ("Owner", "AccountingGroup", "AcctGroup", "AcctGroupUser")
_HOLD_ATTRIBUTES: tuple[str, ...] = ("HoldReasonCode",)

Counts = Counter[tuple[str, str]]


class JobTally(NamedTuple):
    """Jobs by (name, status). Names are raw; `REST` are those that were too many to tell apart."""

    types: Counts  # also of the type "all"
    users: Counts
    groups: Counts
    held: Counts  # by HoldReasonCode
    complaints: list[str]

    def add(self, other: JobTally) -> None:
        for mine, theirs in zip(self[:4], other[:4], strict=True):
            mine.update(theirs)
        self.complaints.extend(other.complaints)

    def count(self, status: str) -> int:
        return self.types[ALL, status]

    def as_rows(self) -> list[Any]:
        """For JSON; `read_tally` is the inverse."""
        return [[[*key, jobs] for key, jobs in counts.items()] for counts in self[:4]] + [self.complaints]


def new_tally() -> JobTally:
    return JobTally(Counter(), Counter(), Counter(), Counter(), [])


def read_tally(rows: Sequence[Any]) -> JobTally:
    counts = [Counter({(name, status): jobs for name, status, jobs in part}) for part in rows[:4]]
    types, users, groups, held = counts
    return JobTally(types, users, groups, held, list(rows[4]))


def query_tally(schedd: Any, name: str, job_types: JobTypes, groups_max: int = GROUPS_MAX) -> JobTally:
    attributes = ["JobStatus", *_GROUP_ATTRIBUTES, *_HOLD_ATTRIBUTES, *job_types.attributes]
    ads = query_groups(schedd, name, attributes, limit=groups_max + 1)
    tally = new_tally()
    if len(ads) <= groups_max:
        for ad in ads:
            _add_types(tally, ad, job_types)
            _add_user(tally, ad)
            _add_group(tally, ad)
            _add_hold(tally, ad)
        return tally
    del ads  # before the parts come
    everything = query_groups(schedd, name, ["JobStatus"])
    totals: Counter[str] = Counter()
    for ad in everything:
        totals[status_of(ad.get("JobStatus"))] += _jobs(ad)
    typed = query_groups(schedd, name, ["JobStatus", *job_types.attributes], limit=groups_max + 1)
    if len(typed) > groups_max:
        tally.complaints.append(_too_fine(name, job_types, groups_max))
        typed, job_types = everything, JobTypes({})
    for ad in typed:
        _add_types(tally, ad, job_types)
    for looked_at, counts, add in (
        (_GROUP_ATTRIBUTES[:1], tally.users, _add_user),
        (_GROUP_ATTRIBUTES, tally.groups, _add_group),
        (_HOLD_ATTRIBUTES, tally.held, _add_hold),
    ):
        constraint = f"JobStatus == {HELD}" if counts is tally.held else "true"
        told: Counter[str] = Counter()
        found = query_groups(schedd, name, ["JobStatus", *looked_at], constraint, groups_max + 1)
        for ad in found:
            add(tally, ad)
            told[status_of(ad.get("JobStatus"))] += _jobs(ad)
        if len(found) > groups_max:
            for status, jobs in totals.items():
                if (status == "held" or counts is not tally.held) and jobs > told[status]:
                    counts[REST, status] += jobs - told[status]
    return tally


def _too_fine(name: str, job_types: JobTypes, groups_max: int) -> str:
    return (
        f"the jobs of schedd {name or 'of this host'} fall into more than {groups_max} groups by "
        f"{', '.join(job_types.attributes)}: use attributes with fewer values in COLLECTOR_JOB_TYPES; "
        "until then no job types are counted"
    )


def _jobs(ad: Ad) -> int:
    jobs = ad.get("JobCount", 0)
    return jobs if type(jobs) is int else 0


def _add_types(tally: JobTally, ad: Ad, job_types: JobTypes) -> None:
    status, jobs = status_of(ad.get("JobStatus")), _jobs(ad)
    for jobtype in (ALL, *job_types.of(ad)):
        tally.types[jobtype, status] += jobs


def _add_user(tally: JobTally, ad: Ad) -> None:
    tally.users[text_of(ad.get("Owner")), status_of(ad.get("JobStatus"))] += _jobs(ad)


def _add_group(tally: JobTally, ad: Ad) -> None:
    if group := group_of(ad):
        tally.groups[group, status_of(ad.get("JobStatus"))] += _jobs(ad)


def _add_hold(tally: JobTally, ad: Ad) -> None:
    if ad.get("JobStatus") == HELD:
        code = ad.get("HoldReasonCode")  # absent: 0, which HTCondor calls unspecified
        tally.held[str(code if type(code) is int else 0), "held"] += _jobs(ad)


def group_of(ad: Ad) -> str:
    """A job's accounting group, "" where it has none: AcctGroup, or what AccountingGroup lets one guess."""
    if group := text_of(ad.get("AcctGroup")):
        return group
    user = text_of(ad.get("AcctGroupUser"))
    joined = text_of(ad.get("AccountingGroup"))
    if user and joined == user:
        return ""  # accounting_group_user alone
    return split_group(joined, [user, text_of(ad.get("Owner"))])


def split_group(joined: str, users: Iterable[str]) -> str:
    """The group's part of an AccountingGroup, which is `group.subgroup.user` (the user, who may have dots
    before an @, is mostly one of `users`); one without a dot is a group as a whole."""
    for user in users:
        if user and joined.endswith(f".{user}"):
            return joined[: -len(user) - 1]
    name, _, _host = joined.partition("@")
    return name.rpartition(".")[0] or name
