"""`/grids/<grid>/vms`, `/grids/<grid>/jobs`, and below them VMs and jobs one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, redirect, request, url_for

from cloud_monitor.metrics.paths import is_clean
from webapp.inventory.model import Item, Summary, Vm
from webapp.inventory.query import read_asked
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.details import DetailPage
from webapp.pages.job_list import HELD, JOBS, job_page
from webapp.pages.links import links_about
from webapp.pages.list_page import ROWS_MAX, Kind, list_page
from webapp.pages.vms import VMS, vm_page
from webapp.poll.current import current_view
from webapp.serving.context import current_settings
from webapp.views.render import Values, show_page

if TYPE_CHECKING:
    from webapp.inventory.reader import Reader

blueprint = Blueprint("lists", __name__, url_prefix="/grids/<grid>")

_JOBS_ON_VM_MAX = 200


@blueprint.get("/vms")
def vms(grid: str) -> Response:
    return _show_list(VMS, grid)


@blueprint.get("/jobs")
def jobs(grid: str) -> Response:
    return _show_list(JOBS, grid)


@blueprint.get("/vms/<path:key>")
def vm(grid: str, key: str) -> Response:
    return _show_item(VMS, grid, key)


@blueprint.get("/jobs/<path:key>")
def job(grid: str, key: str) -> Response:
    return _show_item(JOBS, grid, key)


def _show_list(kind: Kind, grid: str) -> Response:
    """The list, or why there is none."""
    settings = current_settings()
    if settings.inventory_token_file is None:
        _check_known(grid)
        return _show_none(kind, grid, "off")
    from webapp.inventory.database import InventoryFault
    from webapp.inventory.reader import open_reader

    asked = read_asked(request.args, kind.name)
    try:
        with open_reader(settings.inventory_folder, _checked(grid)) as reader:
            summary = reader.summary(kind.name) if reader else None
            if reader is None or summary is None:
                _check_known(grid)
                return _show_none(kind, grid, "absent" if reader is None else "unasked", edition="0")

            def values(view: SnapshotView) -> Values:
                part = reader.part(kind.name, asked, ROWS_MAX)
                address = url_for(f"lists.{kind.name}", grid=grid)
                shown = HELD if kind is JOBS and asked.status == "held" else kind
                page = list_page(shown, _label(grid), asked, part, summary, view, address)
                return {"page": page, "asked": asked, "query": asked.query()[1:]}

            heading = f"{kind.title} · {grid}"
            return show_page(
                kind.name,
                "list_body.html",
                values,
                page="list.html",
                heading=heading,
                edition=str(reader.edition()),
            )
    except InventoryFault as fault:
        return _show_none(kind, grid, "fault", edition="fault", fault=str(fault))


def _show_item(kind: Kind, grid: str, key: str) -> Response:
    settings = current_settings()
    if settings.inventory_token_file is None:
        abort(404)
    from webapp.inventory.database import InventoryFault
    from webapp.inventory.reader import open_reader

    try:
        with open_reader(settings.inventory_folder, _checked(grid)) as reader:
            summary = reader.summary(kind.name) if reader else None
            if reader is None or summary is None:
                abort(404)
            item = reader.item(kind.name, key)
            if item is None:
                return _lead_on(reader.jobs_called(key) if kind is JOBS else [], grid, key)

            def values(view: SnapshotView) -> Values:
                return {"page": _item_page(reader, item, summary, view, grid)}

            return show_page(
                kind.name, "detail_body.html", values, heading=key, edition=str(reader.edition())
            )
    except InventoryFault as fault:
        return _show_none(kind, grid, "fault", edition="fault", fault=str(fault))


def _item_page(reader: Reader, item: Item, summary: Summary, view: SnapshotView, grid: str) -> DetailPage:
    label, address = _label(grid), url_for("grid.show", grid=grid)
    names = {"grid": grid, "cloud": item.thing.cloud}
    if isinstance(item.thing, Vm):
        jobs = reader.jobs_on(item.key, _JOBS_ON_VM_MAX)
        page = vm_page(item, jobs, summary, view, label, address)
        about, names["host"] = "host", item.thing.host
    else:
        page = job_page(item, summary, view, label, address)
        about, names["job"], names["host"] = "job", item.thing.id, item.thing.host or item.thing.last_host
    return replace(page, tools=links_about(current_settings().links, about, names))


def _lead_on(keys: list[str], grid: str, number: str) -> Response:
    """From a job's number alone to its page, or to all jobs of that number."""
    if not keys:
        abort(404)
    if len(keys) == 1:
        return redirect(url_for("lists.job", grid=grid, key=keys[0]))  # type: ignore[return-value]
    return redirect(url_for("lists.jobs", grid=grid, text=number))  # type: ignore[return-value]


def _show_none(kind: Kind, grid: str, why: str, *, edition: str | None = None, fault: str = "") -> Response:
    def values(view: SnapshotView) -> Values:
        title = f"{kind.title} of {_label(grid)}"
        return {"page": None, "title": title, "why": why, "fault": fault, "grid": grid, "kind": kind}

    heading = f"{kind.title} · {grid}"
    return show_page(kind.name, "list_body.html", values, heading=heading, edition=edition)


def _checked(grid: str) -> str:
    """A name that may be a file's; 404 for others, and for grids that are hidden."""
    if not is_clean(grid) or grid in current_settings().hidden_grids:
        abort(404)
    return grid


def _check_known(grid: str) -> None:
    """404 for a grid that has sent nothing at all."""
    if all(known.name != grid for known in current_view().snapshot.grids):
        abort(404)


def _label(grid: str) -> str:
    return current_settings().grid_names.get(grid, grid)
