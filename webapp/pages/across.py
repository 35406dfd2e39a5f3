"""Pages that show one thing of every grid: held jobs, waiting times, users. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from webapp.model.health import Health
from webapp.model.tree import Grid
from webapp.pages.jobs import held_table, jobs_table
from webapp.pages.pool import waiting_table
from webapp.pages.tables import Table


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
