"""How long idle jobs have waited: the median and the 95th percentile of the time since QDate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from cloud_monitor.htcondor.ads import Ad
from cloud_monitor.htcondor.bindings import query_groups
from cloud_monitor.htcondor.job_status import IDLE
from cloud_monitor.metrics.paths import build_path
from collector.sources.htcondor.jobtypes import JobTypes

_GROUPS_MAX = 25_000  # fetched at once, which bounds memory: 1.4 KB each

_WAITED_S_MAX = 10 * 365 * 86_400  # users may set QDate, to 0 say

# Where idle jobs were queued at more different seconds than that, they are asked for in so many parts, by the
# remainder of the second. A prime, because queues are filled on whole minutes and hours.
_PARTS = 13


class Wait(NamedTuple):
    """Idle jobs queued at one second."""

    waited_s: float
    types: tuple[str, ...]
    jobs: int


def query_waits(
    schedd: Any, name: str, job_types: JobTypes, now_s: float, groups_max: int = _GROUPS_MAX
) -> list[Wait]:
    """Waits of a schedd's idle jobs, fetched in parts where they differ in more than groups_max."""
    attributes = ["JobStatus", "QDate", *job_types.attributes]
    idle = f"JobStatus == {IDLE}"
    groups = query_groups(schedd, name, attributes, idle, groups_max + 1)
    if len(groups) <= groups_max:
        return _read_waits(groups, job_types, now_s)
    del groups  # before the parts come
    return [
        wait
        for part in range(_PARTS)
        for wait in _read_waits(
            query_groups(schedd, name, attributes, f"{idle} && QDate % {_PARTS} == {part}"), job_types, now_s
        )
    ]


def _read_waits(groups: Iterable[Ad], job_types: JobTypes, now_s: float) -> list[Wait]:
    waits = []
    for group in groups:
        queued = group.get("QDate")
        if type(queued) is int and queued > 0 and now_s - queued <= _WAITED_S_MAX:
            waits.append(Wait(max(0.0, now_s - queued), job_types.of(group), group.get("JobCount", 0)))
        else:
            group.note("QDate", "is no time that a job was queued at, so its wait is left out")
    return waits


def waits_values(grid: str, waits: Sequence[Wait], job_types: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Percentiles over all idle jobs and over those of each type; a type without any has none."""
    for name in (None, *job_types):
        rows = sorted((wait.waited_s, wait.jobs) for wait in waits if name is None or name in wait.types)
        if rows:
            jobtype = name or "all"
            yield build_path("wait_p50", grid=grid, jobtype=jobtype), percentile(rows, 50)
            yield build_path("wait_p95", grid=grid, jobtype=jobtype), percentile(rows, 95)


def percentile(rows: Sequence[tuple[float, int]], percent: int) -> float:
    """The smallest value that `percent` of the weight does not exceed; rows (value, weight) ascend."""
    sums = list(accumulate(weight for _, weight in rows))
    return next(
        value for (value, _), below in zip(rows, sums, strict=True) if below * 100 >= sums[-1] * percent
    )
