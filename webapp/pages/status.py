"""The status page: totals over everything, what needs attention, and a card for each grid. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from webapp.model.health import Judge, Mark, sort_worst_first, worst
from webapp.model.tree import Grid, Value
from webapp.pages.cells import Cell, show
from webapp.pages.clouds import CloudTable, cloud_table
from webapp.pages.fleet import work_table
from webapp.pages.hosts import heartbeat_cell, hosts_table
from webapp.pages.jobs import jobs_table
from webapp.pages.pool import resources_table
from webapp.pages.tables import Table

ATTENTION_MAX = 12  # lines; a longer list is no longer read
TALL_FROM_ROWS = 12
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

    @property
    def is_tall(self) -> bool:
        """Whether the other tables stand beside the clouds: below a short table they take less room."""
        return self.clouds is not None and self.clouds.row_count >= TALL_FROM_ROWS


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    cell: Cell


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
    snapshot = judge.view.snapshot
    marks = sort_worst_first(judge.snapshot_marks(snapshot))
    anchors = {judge.grid_names.get(grid.name, grid.name): anchor_of(grid.name) for grid in snapshot.grids}
    listed = marks if len(marks) <= ATTENTION_MAX else marks[: ATTENTION_MAX - 1]
    return StatusPage(
        mark=worst(marks),
        vms=tuple(_vm_figures(judge)),
        jobs=tuple(_job_figures(judge)),
        attention=tuple(Attention(mark, anchors.get(mark.where[0], "")) for mark in listed),
        unlisted=len(marks) - len(listed),
        cards=tuple(grid_card(grid, judge, columns, link) for grid in snapshot.grids),
    )


def anchor_of(grid: str) -> str:
    return f"grid-{grid}"


def grid_card(grid: Grid, judge: Judge, columns: Sequence[str], link: Link) -> GridCard:
    view, at = judge.view, f"grids.{grid.name}"
    address = link("grid.show", grid=grid.name)
    tables = (
        jobs_table(grid.jobs, judge, at),
        resources_table(grid, view),
        hosts_table(grid, view, f"{address}/hosts/"),
        work_table(grid.name, grid.fleet, view),
    )
    clouds = cloud_table(grid, judge, columns, f"{address}/clouds/")
    return GridCard(
        name=grid.name,
        label=judge.grid_names.get(grid.name, grid.name),
        link=address,
        mark=judge.grid(grid),
        heartbeats=tuple(
            heartbeat_cell(judge.heartbeat_names.get(service, service), value, view)
            for service, value in grid.heartbeats.items()
        ),
        clouds=clouds if grid.clouds else None,
        tables=tuple(table for table in tables if not table.is_empty),
    )


def _vm_figures(judge: Judge) -> Iterator[Figure]:
    total = judge.view.snapshot.total
    for name in ("total", "starting", "running", "retiring", "error"):
        if name in total.states:
            label = "VMs" if name == "total" else name.capitalize()
            threshold = "vms_error" if name == "error" else ""
            yield _figure(label, total.states[name], judge, threshold)
    for label, value, threshold in (
        ("Idle", total.idle, ""),
        ("Lost", total.lost, "vms_lost"),
        ("Unregistered", total.unreg, "vms_unreg"),
    ):
        if value.value is not None:
            yield _figure(label, value, judge, threshold)


def _job_figures(judge: Judge) -> Iterator[Figure]:
    jobs = judge.view.snapshot.jobs
    for name in ("total", "idle", "running", "completed", "held"):
        if name in jobs:
            yield _figure("Jobs" if name == "total" else name.capitalize(), jobs[name], judge)


def _figure(label: str, value: Value, judge: Judge, threshold: str = "") -> Figure:
    tone = judge.tone(threshold, value) if threshold else ""
    return Figure(label, show(value, judge.view, tone=tone, path=True))
