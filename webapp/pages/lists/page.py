"""Lists of VMs and jobs: what their pages have in common. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from cloud_monitor.inventory import IN_TROUBLE, UNREGISTERED
from cloud_monitor.system.text import format_number
from webapp.inventory.model import ListSummary, QueryResult, TrackedRecord
from webapp.inventory.query import RecordQuery
from webapp.model.health import OK, Finding, Level
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.cells import BAD, Cell
from webapp.pages.lists.cells import LEAVING, WORDS, age_cell, is_stale
from webapp.pages.tables import Column, Row, Table, words

ROWS_MAX = 500  # of a page of a list
_NAMES = {UNREGISTERED: "unregistered", **LEAVING}


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A column after the first. `name` is the field that it is sorted by; `make` makes a record's cell."""

    name: str
    label: str
    make: Callable[[TrackedRecord, SnapshotView], Cell]
    title: str = ""
    largest_first: bool = False


@dataclass(frozen=True, slots=True)
class ListSpec:
    """How VMs or jobs are listed. `heading` is that of their names."""

    name: str  # vms, jobs
    title: str
    noun: str
    heading: str
    columns: tuple[ListColumn, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """`direction` is how the list is sorted by it now, in the words of aria-sort; empty where it is not."""

    label: str
    link: str
    direction: str
    title: str
    css: str


@dataclass(frozen=True, slots=True)
class Chip:
    """A status with the number of those in it; `link` shows them alone, or all again."""

    label: str
    count: Cell
    link: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A field of the form that filters by one of several names."""

    name: str
    label: str
    names: tuple[str, ...]
    chosen: str


@dataclass(frozen=True, slots=True)
class ListPage:
    title: str
    trail: tuple[tuple[str, str], ...]
    finding: Finding
    age: Cell
    note: str
    chips: tuple[Chip, ...]
    choices: tuple[Choice, ...]
    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    shown: str  # which part of what the filter found
    before: str  # address of the page before, of the one after
    after: str


def list_page(
    spec: ListSpec,
    label: str,
    query: RecordQuery,
    result: QueryResult,
    summary: ListSummary,
    view: SnapshotView,
    address: str,
) -> ListPage:
    """The page at `address` of the grid called `label`."""
    stale = is_stale(summary, view)
    columns = occurring(spec.columns, result.records, view)
    first = (query.page - 1) * ROWS_MAX
    last = first + len(result.records)
    return ListPage(
        title=f"{spec.title} of {label}",
        trail=((label, address.rsplit("/", 1)[0]),),
        finding=Finding(Level.STALE, "the list is old") if stale else OK,
        age=age_cell(summary, view),
        note=_note(spec, summary) if summary.is_cut else "",
        chips=tuple(_chips(query, result)),
        choices=(
            Choice("cloud", "cloud", _with(result.clouds, query.cloud), query.cloud),
            Choice("type", "type", _with(result.types, query.type), query.type),
            Choice("status", "status", _with(sorted(result.by_status), query.status), query.status),
        ),
        headings=(
            _heading(query, ListColumn("key", spec.heading, _no_cell), "name"),
            *(_heading(query, column, _css_of(column, result.records, view)) for column in columns),
        ),
        rows=tuple(rows_of(result.records, columns, view, f"{address}/", is_stale=stale)),
        shown=f"{first + 1}–{last} of {format_number(result.found)}" if last > first else "",
        before=query.query_string(page=query.page - 1) or "?" if query.page > 1 else "",
        after=query.query_string(page=query.page + 1) if last < result.found else "",
    )


def list_links(address: str, cloud: str = "") -> tuple[tuple[str, str], ...]:
    """To the lists of the grid at `address`, or of a cloud of it: all, and those that are asked for most."""
    named = (
        ("VMs", "vms", ""),
        ("VMs in error", "vms", "error"),
        ("VMs lost", "vms", "lost"),
        ("Jobs", "jobs", ""),
        ("Jobs held", "jobs", "held"),
    )
    return tuple(
        (label, f"{address}/{list_name}{RecordQuery(cloud=cloud, status=status).query_string()}")
        for label, list_name, status in named
    )


def list_table(
    spec: ListSpec,
    result: QueryResult,
    summary: ListSummary,
    view: SnapshotView,
    address: str,
    *,
    without: str = "",
) -> Table:
    """The list as one table among others, without the column that is the same for all."""
    columns = [column for column in occurring(spec.columns, result.records, view) if column.name != without]
    count = (
        f", {len(result.records)} of {format_number(result.found)}"
        if result.found > len(result.records)
        else ""
    )
    return Table(
        spec.title + count,
        spec.heading,
        tuple(Column(column.label, title=column.title) for column in columns),
        tuple(rows_of(result.records, columns, view, f"{address}/", is_stale=is_stale(summary, view))),
    )


def rows_of(
    records: Iterable[TrackedRecord],
    columns: Sequence[ListColumn],
    view: SnapshotView,
    link: str,
    *,
    is_stale: bool,
) -> Iterable[Row]:
    """`link` leads to a record with its key put behind it."""
    for tracked in records:
        cells = (column.make(tracked, view) for column in columns)
        yield Row(
            tracked.key,
            tuple(cell._replace(css=f"{cell.css} s") if is_stale and cell.text else cell for cell in cells),
            link=link + quote(tracked.key, safe="/@"),
        )


def occurring(
    columns: Sequence[ListColumn], records: Sequence[TrackedRecord], view: SnapshotView
) -> list[ListColumn]:
    """Columns in which anything stands."""
    return [column for column in columns if any(column.make(tracked, view).text for tracked in records)]


def _no_cell(tracked: TrackedRecord, view: SnapshotView) -> Cell:
    return Cell("")


def _with(names: Sequence[str], chosen: str) -> tuple[str, ...]:
    """The names to choose from, also the one that is chosen where there is none such now."""
    return tuple(names) if not chosen or chosen in names else (*names, chosen)


def _css_of(column: ListColumn, records: Sequence[TrackedRecord], view: SnapshotView) -> str:
    """Words begin where their heading does."""
    return WORDS if any(WORDS in column.make(tracked, view).css.split() for tracked in records) else ""


def _heading(query: RecordQuery, column: ListColumn, css: str) -> Heading:
    """A click sorts by the column, the next one the other way round, a third as it was at first."""
    up, down = column.name, f"-{column.name}"
    steps = ["", down, up] if column.largest_first else ["", up, down]
    step = steps.index(query.sort) if query.sort in steps else 0
    direction = {up: "ascending", down: "descending"}.get(query.sort, "")
    link = query.query_string(sort=steps[(step + 1) % 3]) or "?"
    return Heading(column.label, link, direction, column.title, css)


def _chips(query: RecordQuery, result: QueryResult) -> Iterable[Chip]:
    order = sorted(
        result.by_status.items(), key=lambda pair: (pair[0] in LEAVING, pair[0] not in IN_TROUBLE, pair)
    )
    for status, count in order:
        is_chosen = status == query.status
        link = query.query_string(status="" if is_chosen else status) or "?"
        tone = BAD if status in IN_TROUBLE else ""
        yield Chip(
            _NAMES.get(status, words(status).lower()), Cell(format_number(count), tone), link, is_chosen
        )


def _note(spec: ListSpec, summary: ListSummary) -> str:
    """What a list that had no room for all leaves out."""
    if summary.total is None or summary.total <= summary.listed:
        return f"Some {spec.noun} may be missing: the collector could not list all of them."
    named = ", ".join(
        f"{format_number(count)} {words(name).lower()}" for name, count in summary.totals.items() if count
    )
    listed, total = format_number(summary.listed), format_number(summary.total)
    return f"{listed} of {total} {spec.noun} are listed{f' (in all: {named})' if named else ''}."
