"""Pages of the grids: `/`, all at a glance; `/grids/<grid>`, its `/clouds/<cloud>` and `/hosts/<host>`,
everything about one; `/held`, `/waiting`, `/users`, one thing of all of them.

A cloud's page has its VMs and jobs where they are listed; the grid's own head node has the grid's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, url_for

from webapp.annotations.store import find_annotations
from webapp.inventory.query import RecordQuery
from webapp.model.health import Finding, Health, Level
from webapp.model.options import links_about
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Cloud, Grid, Host
from webapp.pages.details import DetailPage, cloud_page, grid_page, host_page
from webapp.pages.happened import happened_lines
from webapp.pages.lists.jobs import JOBS
from webapp.pages.lists.page import list_links, list_table
from webapp.pages.lists.vms import VMS
from webapp.pages.status import Section, held_sections, status_page, user_sections, waiting_sections
from webapp.pages.tables import Table
from webapp.poll.current import current_view
from webapp.serving.context import current_settings
from webapp.views.render import Values, health_of, show_page

if TYPE_CHECKING:
    from webapp.inventory.reader import InventoryReader

status = Blueprint("status", __name__)
grids = Blueprint("grid", __name__)
clouds = Blueprint("cloud", __name__)
hosts = Blueprint("host", __name__)
held = Blueprint("held", __name__)
waiting = Blueprint("waiting", __name__)
users = Blueprint("users", __name__)

_HAPPENED_S, _HAPPENED_MAX = 30 * 86400, 100  # of what a grid's page tells of the past
_ROWS_MAX = 100  # of each table of a cloud's page; the list itself has all


@status.get("/", endpoint="show")
def show_status() -> Response:
    """Every grid at a glance."""

    def values(view: SnapshotView) -> Values:
        return {"page": status_page(health_of(view, with_since=True), current_settings().columns, url_for)}

    return show_page("status", "status_body.html", values, page="status.html", with_events=True)


@grids.get("/grids/<grid>", endpoint="show")
def show_grid(grid: str) -> Response:
    find_grid(current_view(), grid)

    def values(view: SnapshotView) -> Values:
        found = find_grid(view, grid)
        settings = current_settings()
        page = grid_page(found, health_of(view, with_since=True), settings.columns, url_for)
        has_lists = settings.inventory_token_file is not None
        lists = list_links(url_for("grid.show", grid=grid)) if has_lists else ()
        tools = links_about(settings.links, "grid", {"grid": grid})
        first, last = view.as_of - _HAPPENED_S, view.as_of + 60
        happened = find_annotations(settings.state_dir, first, last, grid, _HAPPENED_MAX)
        return {"page": replace(page, lists=lists, tools=tools, happened=tuple(happened_lines(happened)))}

    return show_page("grid", "detail_body.html", values, heading=grid)


def find_grid(view: SnapshotView, name: str) -> Grid:
    """The grid of that name; 404 where the snapshot has none."""
    for grid in view.snapshot.grids:
        if grid.name == name:
            return grid
    abort(404)


@clouds.get("/grids/<grid>/clouds/<cloud>", endpoint="show")
def show_cloud(grid: str, cloud: str) -> Response:
    _find_cloud(current_view(), grid, cloud)
    heading = f"{cloud} · {grid}"
    settings = current_settings()

    def page_of(view: SnapshotView) -> DetailPage:
        page = cloud_page(*_find_cloud(view, grid, cloud), health_of(view, with_since=True), url_for)
        return replace(page, tools=links_about(settings.links, "cloud", {"grid": grid, "cloud": cloud}))

    if settings.inventory_token_file is None:
        return show_page("cloud", "detail_body.html", lambda view: {"page": page_of(view)}, heading=heading)
    from webapp.inventory.database import InventoryFault
    from webapp.inventory.reader import open_reader

    address = url_for("grid.show", grid=grid)
    try:
        with open_reader(settings.inventory_folder, grid) as reader:

            def values(view: SnapshotView) -> Values:
                page = replace(page_of(view), lists=list_links(address, cloud))
                tables = _cloud_tables(reader, cloud, view, address) if reader else ()
                return {"page": replace(page, tables=(*page.tables, *tables))}

            edition = str(reader.edition()) if reader else "0"
            return show_page("cloud", "detail_body.html", values, heading=heading, edition=edition)
    except InventoryFault as fault:
        finding = Finding(Level.STALE, f"VMs and jobs cannot be listed: {fault}")

        def without(view: SnapshotView) -> Values:
            page = page_of(view)
            return {"page": replace(page, findings=(*page.findings, finding))}

        return show_page("cloud", "detail_body.html", without, heading=heading, edition="fault")


def _cloud_tables(reader: InventoryReader, cloud: str, view: SnapshotView, address: str) -> tuple[Table, ...]:
    """Its VMs and its jobs, those in trouble first, as many as a page bears."""
    tables = []
    for spec in (VMS, JOBS):
        summary = reader.summary(spec.name)
        if summary is not None:
            result = reader.find(spec.name, RecordQuery(cloud=cloud), _ROWS_MAX)
            tables.append(list_table(spec, result, summary, view, f"{address}/{spec.name}", without="cloud"))
    return tuple(table for table in tables if not table.is_empty)


def _find_cloud(view: SnapshotView, grid_name: str, cloud_name: str) -> tuple[Grid, Cloud]:
    grid = find_grid(view, grid_name)
    for cloud in grid.clouds:
        if cloud.name == cloud_name:
            return grid, cloud
    abort(404)


@hosts.get("/grids/<grid>/hosts/<host>", endpoint="show")
def show_host(grid: str, host: str) -> Response:
    _find_host(current_view(), grid, host)

    def values(view: SnapshotView) -> Values:
        return {"page": host_page(*_find_host(view, grid, host), health_of(view, with_since=True), url_for)}

    return show_page("host", "detail_body.html", values, heading=f"{host} · {grid}")


def _find_host(view: SnapshotView, grid_name: str, host_name: str) -> tuple[Grid, Host]:
    grid = find_grid(view, grid_name)
    for host in (grid.own, *grid.hosts):
        if host.name == host_name:
            return grid, host
    abort(404)


@held.get("/held", endpoint="show")
def show_held() -> Response:
    """Held jobs by reason, and how that changed since yesterday."""

    def sections(health: Health) -> tuple[Section, ...]:
        found = held_sections(health, _address)
        if current_settings().inventory_token_file is None:
            return found
        return tuple(
            replace(one, list_link=url_for("lists.jobs", grid=one.grid, status="held")) for one in found
        )

    return _show_across("held", "Held jobs", sections, with_change=True)


@waiting.get("/waiting", endpoint="show")
def show_waiting() -> Response:
    """How long idle jobs have been waiting."""
    return _show_across("waiting", "Waiting", lambda health: waiting_sections(health, _address))


@users.get("/users", endpoint="show")
def show_users() -> Response:
    """Jobs by user and accounting group."""
    return _show_across("users", "Users", lambda health: user_sections(health, _address))


def _show_across(
    page_name: str,
    title: str,
    sections: Callable[[Health], tuple[Section, ...]],
    *,
    with_change: bool = False,
) -> Response:
    def values(view: SnapshotView) -> Values:
        return {"title": title, "sections": sections(health_of(view)), "with_change": with_change}

    return show_page(page_name, "across_body.html", values, heading=title)


def _address(grid: str) -> str:
    return url_for("grid.show", grid=grid)
