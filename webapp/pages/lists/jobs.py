"""Jobs one by one: the columns of their list, and one job with its past and the hosts it was on. Pure."""

from __future__ import annotations

from urllib.parse import quote

from webapp.inventory.model import JobRecord, ListSummary, TrackedRecord
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.cells import Cell
from webapp.pages.details import DetailPage
from webapp.pages.jobs import reason_of
from webapp.pages.lists.cells import number, since, status_cell, text
from webapp.pages.lists.page import ListColumn, ListSpec
from webapp.pages.lists.record import (
    Fact,
    facts_table,
    history_table,
    hosts_table_of,
    record_finding,
    seen_facts,
)


def _job(tracked: TrackedRecord) -> JobRecord:
    assert isinstance(tracked.record, JobRecord)
    return tracked.record


def _host(tracked: TrackedRecord, view: SnapshotView) -> Cell:
    """Where it is; where it was last recedes."""
    job = _job(tracked)
    return text(job.host) if job.host or not job.last_host else text(job.last_host, "z", "its last host")


def _hold(tracked: TrackedRecord, view: SnapshotView) -> Cell:
    """The code and the reason that HTCondor gives; hovering says what the code stands for."""
    job = _job(tracked)
    if job.hold_code is None:
        return text(job.hold_reason, title=job.hold_reason)
    meant = reason_of(str(job.hold_code))
    shown = f"{job.hold_code}: {job.hold_reason}" if job.hold_reason else meant
    return text(shown, title=f"{meant}. {job.hold_reason}".rstrip(". "))


_HOLD = ListColumn("hold_code", "Hold reason", _hold)
_COLUMNS = (
    ListColumn("status", "Status", status_cell),
    ListColumn("since", "For", lambda tracked, view: since(tracked.since, view), "in this status"),
    ListColumn("host", "Host", _host, "the VM it runs on, or ran on last"),
    ListColumn("cloud", "Cloud", lambda tracked, view: text(tracked.record.cloud)),
    ListColumn("types", "Types", lambda tracked, view: text(", ".join(tracked.record.types))),
    ListColumn("user", "User", lambda tracked, view: text(_job(tracked).user)),
    ListColumn("group", "Group", lambda tracked, view: text(_job(tracked).group)),
    ListColumn("queued_at", "Queued", lambda tracked, view: since(_job(tracked).queued_at, view), "ago"),
    ListColumn("starts", "Starts", lambda tracked, view: number(_job(tracked).starts), largest_first=True),
)
JOBS = ListSpec("jobs", "Jobs", "jobs", "Job", (*_COLUMNS, _HOLD))
HELD = ListSpec(
    "jobs", "Jobs", "jobs", "Job", (*_COLUMNS[:2], _HOLD, *_COLUMNS[2:])
)  # of held jobs alone: why comes first


def job_page(
    tracked: TrackedRecord, summary: ListSummary, view: SnapshotView, label: str, address: str
) -> DetailPage:
    """`address` is the grid's."""
    job = _job(tracked)
    code = Cell("") if job.hold_code is None else text(reason_of(str(job.hold_code)))
    facts: list[Fact] = [
        ("Status", status_cell(tracked, view)),
        ("For", since(tracked.since, view)),
        ("Hold code", code),
        ("Hold reason", text(job.hold_reason)),
        ("Host", text(job.host)),
        ("Last host", text(job.last_host)),
        ("Cloud", text(job.cloud)),
        ("Types", text(", ".join(job.types))),
        ("User", text(job.user)),
        ("Group", text(job.group)),
        ("Schedd", text(job.schedd)),
        ("Queued", since(job.queued_at, view)),
        ("Starts", number(job.starts)),
        *seen_facts(tracked, summary, view),
    ]
    clouds = [(job.cloud, f"{address}/clouds/{quote(job.cloud)}")] if job.cloud else []
    tables = (
        facts_table(facts),
        history_table(tracked, view),
        hosts_table_of(tracked, view, f"{address}/vms/"),
    )
    return DetailPage(
        title=f"Job {tracked.key}",
        trail=((label, address), *clouds, ("Jobs", f"{address}/jobs")),
        finding=record_finding(tracked, summary, view),
        findings=(),
        sparks=(),
        heartbeats=(),
        tables=tuple(table for table in tables if not table.is_empty),
    )
