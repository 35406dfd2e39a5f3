"""Lists of VMs and jobs: what their pages have in common. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from webapp.inventory.model import Item, Part, Summary
from webapp.inventory.query import Asked
from webapp.model.health import OK, Level, Mark
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.cells import BAD, Cell, format_number
from webapp.pages.list_cells import LEAVING, TROUBLE, WORDS, age_cell, is_stale
from webapp.pages.tables import Column, Row, Table, words

ROWS_MAX = 500  # of a page of a list
_NAMES = {"unreg": "unregistered", **LEAVING}


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A column after the first. `name` is the field that it is sorted by; `make` gives an item's cell."""

    name: str
    label: str
    make: Callable[[Item, SnapshotView], Cell]
    title: str = ""
    largest_first: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """How things of one kind are listed. `heading` is that of their names."""

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
    kind: str


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
    mark: Mark
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
    kind: Kind, label: str, asked: Asked, part: Part, summary: Summary, view: SnapshotView, address: str
) -> ListPage:
    """The page at `address` of the grid called `label`."""
    stale = is_stale(summary, view)
    columns = occurring(kind.columns, part.items, view)
    first = (asked.page - 1) * ROWS_MAX
    last = first + len(part.items)
    return ListPage(
        title=f"{kind.title} of {label}",
        trail=((label, address.rsplit("/", 1)[0]),),
        mark=Mark(Level.STALE, "the list is old") if stale else OK,
        age=age_cell(summary, view),
        note=_note(kind, summary) if summary.is_cut else "",
        chips=tuple(_chips(asked, part)),
        choices=(
            Choice("cloud", "cloud", _with(part.clouds, asked.cloud), asked.cloud),
            Choice("type", "type", _with(part.types, asked.type), asked.type),
            Choice("status", "status", _with(sorted(part.by_status), asked.status), asked.status),
        ),
        headings=(
            _heading(asked, ListColumn("key", kind.heading, _no_cell), "name"),
            *(_heading(asked, column, _kind_of(column, part.items, view)) for column in columns),
        ),
        rows=tuple(rows_of(part.items, columns, view, f"{address}/", is_stale=stale)),
        shown=f"{first + 1}–{last} of {format_number(part.found)}" if last > first else "",
        before=asked.query(page=asked.page - 1) or "?" if asked.page > 1 else "",
        after=asked.query(page=asked.page + 1) if last < part.found else "",
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
        (label, f"{address}/{kind}{Asked(cloud=cloud, status=status).query()}")
        for label, kind, status in named
    )


def list_table(
    kind: Kind, part: Part, summary: Summary, view: SnapshotView, address: str, *, without: str = ""
) -> Table:
    """The list as one table among others, without the column that is the same for all."""
    columns = [column for column in occurring(kind.columns, part.items, view) if column.name != without]
    count = f", {len(part.items)} of {format_number(part.found)}" if part.found > len(part.items) else ""
    return Table(
        kind.title + count,
        kind.heading,
        tuple(Column(column.label, title=column.title) for column in columns),
        tuple(rows_of(part.items, columns, view, f"{address}/", is_stale=is_stale(summary, view))),
    )


def rows_of(
    items: Iterable[Item], columns: Sequence[ListColumn], view: SnapshotView, link: str, *, is_stale: bool
) -> Iterable[Row]:
    """`link` leads to an item with its key put behind it."""
    for item in items:
        cells = (column.make(item, view) for column in columns)
        yield Row(
            item.key,
            tuple(cell._replace(kind=f"{cell.kind} s") if is_stale and cell.text else cell for cell in cells),
            link=link + quote(item.key, safe="/@"),
        )


def occurring(columns: Sequence[ListColumn], items: Sequence[Item], view: SnapshotView) -> list[ListColumn]:
    """Columns in which anything stands."""
    return [column for column in columns if any(column.make(item, view).text for item in items)]


def _no_cell(item: Item, view: SnapshotView) -> Cell:
    return Cell("")


def _with(names: Sequence[str], chosen: str) -> tuple[str, ...]:
    """The names to choose from, also the one that is chosen where there is none such now."""
    return tuple(names) if not chosen or chosen in names else (*names, chosen)


def _kind_of(column: ListColumn, items: Sequence[Item], view: SnapshotView) -> str:
    """Words begin where their heading does."""
    return WORDS if any(WORDS in column.make(item, view).kind.split() for item in items) else ""


def _heading(asked: Asked, column: ListColumn, kind: str) -> Heading:
    """A click sorts by the column, the next one the other way round, a third as it was at first."""
    up, down = column.name, f"-{column.name}"
    steps = ["", down, up] if column.largest_first else ["", up, down]
    place = steps.index(asked.sort) if asked.sort in steps else 0
    direction = {up: "ascending", down: "descending"}.get(asked.sort, "")
    query = asked.query(sort=steps[(place + 1) % 3]) or "?"
    return Heading(column.label, query, direction, column.title, kind)


def _chips(asked: Asked, part: Part) -> Iterable[Chip]:
    order = sorted(
        part.by_status.items(), key=lambda pair: (pair[0] in LEAVING, pair[0] not in TROUBLE, pair)
    )
    for status, count in order:
        is_chosen = status == asked.status
        link = asked.query(status="" if is_chosen else status) or "?"
        tone = BAD if status in TROUBLE else ""
        yield Chip(
            _NAMES.get(status, words(status).lower()), Cell(format_number(count), tone), link, is_chosen
        )


def _note(kind: Kind, summary: Summary) -> str:
    """What a list that had no room for all leaves out."""
    if summary.total is None or summary.total <= summary.listed:
        return f"Some {kind.noun} may be missing: the collector could not list all of them."
    named = ", ".join(
        f"{format_number(count)} {words(name).lower()}" for name, count in summary.totals.items() if count
    )
    listed, total = format_number(summary.listed), format_number(summary.total)
    return f"{listed} of {total} {kind.noun} are listed{f' (in all: {named})' if named else ''}."
