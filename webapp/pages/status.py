"""Every grid on one page: the status page, with totals, what needs attention and a card for each; held jobs,
waiting times, users. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from webapp.model.health import Finding, Health, worst
from webapp.model.tree import Grid, Value
from webapp.pages.cells import Cell, show
from webapp.pages.clouds import CloudTable, cloud_table
from webapp.pages.fleet import work_table
from webapp.pages.hosts import heartbeat_cell, hosts_table, peers_cells
from webapp.pages.jobs import held_table, jobs_table
from webapp.pages.pool import resources_table, waiting_table
from webapp.pages.tables import Table

ATTENTION_MAX = 12  # lines; a longer list is no longer read
TALL_FROM_ROWS = 12
AddressOf = Callable[..., str]  # (endpoint, **names) -> address


@dataclass(frozen=True, slots=True)
class Attention:
    """A cause of what is not well; `anchor` is the card it belongs to, empty where it has none."""

    finding: Finding
    anchor: str


@dataclass(frozen=True, slots=True)
class GridCard:
    name: str
    label: str
    link: str
    finding: Finding
    heartbeats: tuple[Cell, ...]
    clouds: CloudTable | None
    tables: tuple[Table, ...]

    @property
    def is_tall(self) -> bool:
        """Whether the other tables stand beside the clouds: below a short table they take less room."""
        return self.clouds is not None and self.clouds.row_count >= TALL_FROM_ROWS


@dataclass(frozen=True, slots=True)
class TotalFigure:
    label: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class StatusPage:
    finding: Finding
    vms: tuple[TotalFigure, ...]
    jobs: tuple[TotalFigure, ...]
    attention: tuple[Attention, ...]
    unlisted: int  # what needs attention beyond ATTENTION_MAX
    cards: tuple[GridCard, ...]

    @property
    def folded(self) -> int:
        return sum(card.clouds.folded for card in self.cards if card.clouds)


def status_page(health: Health, columns: Sequence[str], link: AddressOf) -> StatusPage:
    snapshot = health.view.snapshot
    findings = health.findings()
    attention = [
        Attention(finding, anchor_of(cause.key.grid) if cause.key.grid else "")
        for finding, cause in zip(findings, health.causes, strict=True)
    ]
    listed = attention if len(attention) <= ATTENTION_MAX else attention[: ATTENTION_MAX - 1]
    return StatusPage(
        finding=worst(findings),
        vms=tuple(_vm_figures(health)),
        jobs=tuple(_job_figures(health)),
        attention=tuple(listed),
        unlisted=len(findings) - len(listed),
        cards=tuple(grid_card(grid, health, columns, link) for grid in snapshot.grids),
    )


def anchor_of(grid: str) -> str:
    return f"grid-{grid}"


def grid_card(grid: Grid, health: Health, columns: Sequence[str], link: AddressOf) -> GridCard:
    view, at = health.view, f"grids.{grid.name}"
    address = link("grid.show", grid=grid.name)
    tables = (
        jobs_table(grid.jobs, health, at),
        resources_table(grid, view),
        hosts_table(grid, view, f"{address}/hosts/"),
        work_table(grid.name, grid.fleet, view),
    )
    clouds = cloud_table(grid, health, columns, f"{address}/clouds/")
    return GridCard(
        name=grid.name,
        label=health.grid_label(grid.name),
        link=address,
        finding=health.grid(grid),
        heartbeats=(
            *(
                heartbeat_cell(health.heartbeat_label(service), value, view)
                for service, value in grid.heartbeats.items()
            ),
            *peers_cells(grid, view),
        ),
        clouds=clouds if grid.clouds else None,
        tables=tuple(table for table in tables if not table.is_empty),
    )


def _vm_figures(health: Health) -> Iterator[TotalFigure]:
    total = health.view.snapshot.total
    for name in ("total", "starting", "running", "retiring", "error"):
        if name in total.states:
            label = "VMs" if name == "total" else name.capitalize()
            threshold = "vms_error" if name == "error" else ""
            yield _figure(label, total.states[name], health, threshold)
    for label, value, threshold in (
        ("Idle", total.idle, ""),
        ("Lost", total.lost, "vms_lost"),
        ("Unregistered", total.unreg, "vms_unreg"),
    ):
        if value.value is not None:
            yield _figure(label, value, health, threshold)


def _job_figures(health: Health) -> Iterator[TotalFigure]:
    jobs = health.view.snapshot.jobs
    for name in ("total", "idle", "running", "completed", "held"):
        if name in jobs:
            yield _figure("Jobs" if name == "total" else name.capitalize(), jobs[name], health)


def _figure(label: str, value: Value, health: Health, threshold: str = "") -> TotalFigure:
    tone = health.tone(threshold, value) if threshold else ""
    return TotalFigure(label, show(value, health.view, tone=tone, path=True))


@dataclass(frozen=True, slots=True)
class Section:
    """A grid with its tables on a page across grids."""

    grid: str
    label: str
    link: str
    tables: tuple[Table, ...]
    list_link: str = ""  # to the same things one by one


def across(
    health: Health, address: Callable[[str], str], tables: Callable[[Grid], Iterator[Table]]
) -> tuple[Section, ...]:
    """A section for each grid that has such tables; `address` leads to a grid's page."""
    sections = []
    for grid in health.view.snapshot.grids:
        found = tuple(table for table in tables(grid) if not table.is_empty)
        if found:
            label = health.grid_label(grid.name)
            sections.append(Section(grid.name, label, address(grid.name), found))
    return tuple(sections)


def held_sections(health: Health, address: Callable[[str], str]) -> tuple[Section, ...]:
    return across(health, address, lambda grid: iter((held_table(grid, health.view),)))


def waiting_sections(health: Health, address: Callable[[str], str]) -> tuple[Section, ...]:
    return across(health, address, lambda grid: iter((waiting_table(grid, health.view),)))


def user_sections(health: Health, address: Callable[[str], str]) -> tuple[Section, ...]:
    def tables(grid: Grid) -> Iterator[Table]:
        at = f"grids.{grid.name}"
        yield jobs_table(grid.users, health, at, caption="Users", heading="User", below="users")
        yield jobs_table(
            grid.groups, health, at, caption="Accounting groups", heading="Group", below="groups"
        )

    return across(health, address, tables)
