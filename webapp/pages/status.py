"""The status page: totals over everything, what needs attention, and a card for each grid. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from webapp.moment import Moment
from webapp.pages.cells import BAD, WARN, Cell, show
from webapp.pages.clouds import CloudTable, cloud_table
from webapp.pages.fleet import work_table
from webapp.pages.hosts import heartbeat_cell, hosts_table
from webapp.pages.jobs import jobs_table
from webapp.pages.marks import Judge, Mark, sort_worst_first, worst
from webapp.pages.pool import resources_table
from webapp.pages.tables import Table
from webapp.tree import Grid

ATTENTION_MAX = 12  # lines; a longer list is no longer read
Link = Callable[..., str]  # (endpoint, **names) -> address


@dataclass(frozen=True, slots=True)
class Attention:
    """A line about something that is not well; `anchor` is the card it belongs to."""

    mark: Mark
    anchor: str


@dataclass(frozen=True, slots=True)
class GridCard:
    name: str
    label: str
    link: str
    mark: Mark
    heartbeats: tuple[Cell, ...]
    clouds: CloudTable | None
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    cell: Cell
    title: str = ""


@dataclass(frozen=True, slots=True)
class StatusPage:
    mark: Mark
    vms: tuple[Figure, ...]
    jobs: tuple[Figure, ...]
    attention: tuple[Attention, ...]
    unlisted: int  # what needs attention beyond ATTENTION_MAX
    cards: tuple[GridCard, ...]

    @property
    def folded(self) -> int:
        return sum(card.clouds.folded for card in self.cards if card.clouds)


def status_page(judge: Judge, columns: Sequence[str], link: Link) -> StatusPage:
    snapshot = judge.moment.snapshot
    marks = sort_worst_first(judge.snapshot_marks(snapshot))
    anchors = {judge.grid_names.get(grid.name, grid.name): anchor_of(grid.name) for grid in snapshot.grids}
    listed = marks if len(marks) <= ATTENTION_MAX else marks[: ATTENTION_MAX - 1]
    return StatusPage(
        mark=worst(marks),
        vms=tuple(_vm_figures(judge.moment)),
        jobs=tuple(_job_figures(judge.moment)),
        attention=tuple(Attention(mark, anchors.get(mark.where[0], "")) for mark in listed),
        unlisted=len(marks) - len(listed),
        cards=tuple(grid_card(grid, judge, columns, link) for grid in snapshot.grids),
    )


def anchor_of(grid: str) -> str:
    return f"grid-{grid}"


def grid_card(grid: Grid, judge: Judge, columns: Sequence[str], link: Link) -> GridCard:
    moment, at = judge.moment, f"grids.{grid.name}"
    address = link("grid.show", grid=grid.name)
    tables = (
        jobs_table(grid.jobs, moment, at),
        resources_table(grid, moment),
        hosts_table(grid, moment, f"{address}/hosts/"),
        work_table(grid.name, grid.fleet, moment),
    )
    clouds = cloud_table(grid, judge, columns, f"{address}/clouds/")
    return GridCard(
        name=grid.name,
        label=judge.grid_names.get(grid.name, grid.name),
        link=address,
        mark=judge.grid(grid),
        heartbeats=tuple(
            heartbeat_cell(judge.heartbeat_names.get(service, service), value, moment)
            for service, value in grid.heartbeats.items()
        ),
        clouds=clouds if grid.clouds else None,
        tables=tuple(table for table in tables if not table.is_empty),
    )


def _vm_figures(moment: Moment) -> Iterator[Figure]:
    total = moment.snapshot.total
    for name, tone in (("total", ""), ("starting", ""), ("running", ""), ("retiring", ""), ("error", BAD)):
        if name in total.states:
            label = "VMs" if name == "total" else name.capitalize()
            yield Figure(label, show(total.states[name], moment, tone=tone, path=True))
    for label, value, tone in (
        ("Idle", total.idle, ""),
        ("Lost", total.lost, WARN),
        ("Unregistered", total.unreg, WARN),
    ):
        if value.value is not None:
            yield Figure(label, show(value, moment, tone=tone, path=True))


def _job_figures(moment: Moment) -> Iterator[Figure]:
    jobs = moment.snapshot.jobs
    for name, tone in (("total", ""), ("idle", ""), ("running", ""), ("completed", ""), ("held", WARN)):
        if name in jobs:
            label = "Jobs" if name == "total" else name.capitalize()
            yield Figure(label, show(jobs[name], moment, tone=tone, path=True))
