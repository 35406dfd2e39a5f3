"""One VM or job: facts, history, and the jobs on a VM or the hosts of a job. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from cloud_monitor.inventory import IN_TROUBLE
from cloud_monitor.system.text import age_text
from webapp.inventory.model import JobRecord, ListSummary, TrackedRecord
from webapp.model.health import OK, Finding, Level
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.cells import BAD, Cell
from webapp.pages.lists.cells import AGE, age_cell, is_stale, since, status_cell, text, utc
from webapp.pages.tables import Column, Row, Table, words

Fact = tuple[str, Cell]
_WHOLE = "t whole"  # words that are not cut


def record_finding(tracked: TrackedRecord, summary: ListSummary, view: SnapshotView) -> Finding:
    """Of what is gone nothing is known any more; a list that is old says nothing of now either."""
    if is_stale(summary, view):
        return Finding(Level.STALE, "the list is old")
    if tracked.gone_at is not None:
        return Finding(Level.STALE, tracked.status)
    return Finding(Level.BAD, tracked.status) if tracked.status in IN_TROUBLE else OK


def facts_table(facts: Iterable[Fact]) -> Table:
    """Those that are known."""
    rows = (
        Row(label, (cell._replace(css=f"{cell.css} {_WHOLE}".strip()),)) for label, cell in facts if cell.text
    )
    return Table("Facts", "Fact", (Column("Now"),), tuple(rows))


def seen_facts(tracked: TrackedRecord, summary: ListSummary, view: SnapshotView) -> Iterator[Fact]:
    yield "First seen", since(tracked.first_seen_at, view)
    yield "List", age_cell(summary, view)._replace(css=AGE)


def history_table(tracked: TrackedRecord, view: SnapshotView) -> Table:
    """Statuses, the newest first, each with its beginning and how long it lasted."""
    rows = []
    end = view.as_of
    for change in reversed(tracked.changes):
        lasted = age_text(max(0, end - change.at))
        status = text(words(change.status), BAD if change.status in IN_TROUBLE else "")
        rows.append(Row(utc(change.at, view), (status, Cell(lasted, AGE), text(change.host))))
        end = change.at
    columns = (Column("Status"), Column("For"), Column("Host"))
    return _without_empty("Status history", "From, UTC", columns, rows)


def jobs_table_of(jobs: Iterable[TrackedRecord], host: str, view: SnapshotView, link: str) -> Table:
    """Jobs on the host now, or there last."""
    rows = []
    for tracked in jobs:
        job = tracked.record
        assert isinstance(job, JobRecord)
        here = "now" if job.host.lower() == host.lower() and tracked.gone_at is None else "before"
        cells = (text(here), status_cell(tracked, view), since(tracked.since, view), text(job.user))
        rows.append(Row(tracked.key, cells, link=link + quote(tracked.key, safe="/@")))
    columns = (Column("Here"), Column("Status"), Column("For"), Column("User"))
    return _without_empty("Jobs on this VM", "Job", columns, rows)


def hosts_table_of(tracked: TrackedRecord, view: SnapshotView, link: str) -> Table:
    """Where a job has been, the newest first, by its history and by what it says itself."""
    job = tracked.record
    assert isinstance(job, JobRecord)
    seen: dict[str, Cell] = {}
    for change in reversed(tracked.changes):
        if change.host:
            seen.setdefault(change.host, since(change.at, view))
    if job.last_host:
        seen.setdefault(job.last_host, text("before it was seen here"))
    rows = [Row(host, (cell,), link=link + quote(host, safe="/@")) for host, cell in seen.items()]
    return Table("Hosts of this job", "Host", (Column("Began there", title="ago"),), tuple(rows))


def _without_empty(caption: str, heading: str, columns: Sequence[Column], rows: Sequence[Row]) -> Table:
    """The table of the columns in which anything stands."""
    used = [column for column in range(len(columns)) if any(row.cells[column].text for row in rows)]
    return Table(
        caption,
        heading,
        tuple(columns[column] for column in used),
        tuple(
            Row(row.name, tuple(row.cells[column] for column in used), row.key, row.at, row.link)
            for row in rows
        ),
    )
