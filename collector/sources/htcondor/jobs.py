"""Jobs of one or several schedds: by status, type, user, accounting group, hold reason and host, and waits.

The schedds count (groups of alike jobs); no job's ad is fetched. Of several schedds one that fails or hangs
costs its own jobs: the sums are those of the others, and how many schedds answered is a figure beside them.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from cloud_monitor.htcondor.bindings import find_schedd, limit_query_time
from cloud_monitor.htcondor.job_status import STATUSES
from cloud_monitor.metrics.paths import build_path, clean
from collector.model import Collected, Placement
from collector.settings import CondorSettings
from collector.sources.htcondor.jobtypes import JobTypes
from collector.sources.htcondor.peers import ask_each
from collector.sources.htcondor.placements import query_placements
from collector.sources.htcondor.tally import ALL, Counts, JobTally, new_tally, query_tally, read_tally
from collector.sources.htcondor.waits import Wait, query_waits, waits_values
from collector.sources.top_n import REST, top_names

TOTAL = "total"
SCHEDDS_SETTING = "COLLECTOR_CONDOR_SCHEDDS"

ANSWER_SHARE = 0.8  # of a source's time, for each schedd of several: the rest puts the answers together
QUERY_SHARE = 0.2  # of it, for each collector daemon of several


def collect(settings: CondorSettings, timestamp: int) -> Collected:
    if not settings.owner:
        return Collected()
    job_types = JobTypes(settings.job_types)
    limit_query_time(settings.condor_collectors, QUERY_SHARE * settings.source_timeout_s)
    names = tuple(dict.fromkeys(settings.condor_schedds)) or ("",)
    ask = partial(_query_schedd, settings, job_types)
    answers = ask_each(names, ask, ANSWER_SHARE * settings.source_timeout_s)
    tally = new_tally()
    placements: Counter[tuple[str, str, str]] = Counter()
    waits: list[Wait] = []
    values: list[tuple[str, float]] = []
    for name, (tally_rows, placement_rows, wait_rows) in answers.given.items():
        own = read_tally(tally_rows)
        tally.add(own)
        placements.update({(host, jobtype, status): jobs for host, jobtype, status, jobs in placement_rows})
        waits += (Wait(waited_s, tuple(types), jobs) for waited_s, types, jobs in wait_rows)
        values += schedd_values(settings.grid, name, own) if name else ()
    values += answered_values(settings.grid, "schedds", len(names), len(answers.given))
    return Collected(
        values=(
            *values,
            *jobs_values(settings.grid, tally.types, job_types.names),
            *names_values(settings, tally),
            *waits_values(settings.grid, waits, job_types.names),
        ),
        placements=tuple(Placement(*key, jobs) for key, jobs in sorted(placements.items())),
        complaints=(*tally.complaints, *told_errors("schedds", names, answers.errors)),
        notes=answers.notes,
    )


def _query_schedd(settings: CondorSettings, job_types: JobTypes, name: str) -> Any:
    """(tally, placements, waits) of one schedd, as rows."""
    schedd = find_schedd(name, settings.condor_collectors, SCHEDDS_SETTING)
    tally = query_tally(schedd, name, job_types)
    if tally.complaints:
        job_types = JobTypes({})
    placements: Counter[tuple[str, str, str]] = Counter()
    if settings.has_clouds:
        placements = query_placements(schedd, name, job_types, running=tally.count("running"))
    waits = query_waits(schedd, name, job_types, time.time()) if tally.count("idle") else []
    return tally.as_rows(), [[*key, jobs] for key, jobs in placements.items()], waits


def answered_values(grid: str, peers: str, asked: int, answered: int) -> Iterator[tuple[str, float]]:
    """How many of several peers the sums are of; peers: schedds or pools."""
    if asked > 1:
        yield build_path("condor_asked", grid=grid, peers=peers), asked
        yield build_path("condor_answered", grid=grid, peers=peers), answered


def told_errors(peers: str, asked: Sequence[str], errors: Sequence[str]) -> tuple[str, ...]:
    if not errors:
        return ()
    return (f"{len(asked) - len(errors)} of {len(asked)} {peers} answered, and sums are of these", *errors)


def schedd_values(grid: str, name: str, tally: JobTally) -> Iterator[tuple[str, float]]:
    """Jobs of one schedd that the settings name."""
    statuses = {status for jobtype, status in tally.types if jobtype == ALL}
    counts = {status: tally.count(status) for status in (*STATUSES.values(), *sorted(statuses))}
    for status, jobs in (*counts.items(), (TOTAL, sum(counts.values()))):
        yield build_path("schedd_jobs", grid=grid, schedd=clean(name), status=status), jobs


def jobs_values(grid: str, counts: Counts, job_types: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Every status of every type, also where it is 0: a type is known, whether it has jobs or not."""
    for jobtype in (ALL, *job_types):
        own = {status: jobs for (name, status), jobs in counts.items() if name == jobtype}
        for status in (*STATUSES.values(), *sorted(own.keys() - set(STATUSES.values()))):
            yield build_path("jobs", grid=grid, jobtype=jobtype, status=status), own.get(status, 0)
        yield build_path("jobs", grid=grid, jobtype=jobtype, status=TOTAL), sum(own.values())


def names_values(settings: CondorSettings, tally: JobTally) -> Iterator[tuple[str, float]]:
    """Counts under names that jobs bring with them, of each sort the largest only."""
    names_max = settings.condor_names_max
    if settings.condor_users != "hidden":
        users = tally.users
        if settings.condor_users == "hashed":
            key = settings.condor_users_key.get_secret_value().encode()
            users = Counter()
            for (name, status), jobs in tally.users.items():
                users[name if name == REST else hash_user(name, key), status] += jobs
        yield from _status_values(settings.grid, "users", "user", users, names_max)
    yield from _status_values(settings.grid, "groups", "group", tally.groups, names_max)
    held = top_names(tally.held, names_max)
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
