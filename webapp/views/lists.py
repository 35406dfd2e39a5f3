"""`/grids/<grid>/vms`, `/grids/<grid>/jobs`, and below them VMs and jobs one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, redirect, request, url_for

from cloud_monitor.metrics.paths import is_clean
from webapp.inventory.model import ListSummary, TrackedRecord, VmRecord
from webapp.inventory.query import read_query
from webapp.model.options import links_about
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.details import DetailPage
from webapp.pages.lists.jobs import HELD, JOBS, job_page
from webapp.pages.lists.page import ROWS_MAX, ListSpec, list_page
from webapp.pages.lists.vms import VMS, vm_page
from webapp.poll.current import current_view
from webapp.serving.context import current_settings
from webapp.views.render import Values, show_page

if TYPE_CHECKING:
    from webapp.inventory.reader import InventoryReader

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
    return _show_record(VMS, grid, key)


@blueprint.get("/jobs/<path:key>")
def job(grid: str, key: str) -> Response:
    return _show_record(JOBS, grid, key)


def _show_list(spec: ListSpec, grid: str) -> Response:
    """The list, or why there is none."""
    settings = current_settings()
    if settings.inventory_token_file is None:
        _check_known(grid)
        return _show_none(spec, grid, "off")
    from webapp.inventory.database import InventoryFault
    from webapp.inventory.reader import open_reader

    query = read_query(request.args, spec.name)
    try:
        with open_reader(settings.inventory_folder, _checked(grid)) as reader:
            summary = reader.summary(spec.name) if reader else None
            if reader is None or summary is None:
                _check_known(grid)
                return _show_none(spec, grid, "absent" if reader is None else "unasked", edition="0")

            def values(view: SnapshotView) -> Values:
                result = reader.find(spec.name, query, ROWS_MAX)
                address = url_for(f"lists.{spec.name}", grid=grid)
                shown = HELD if spec is JOBS and query.status == "held" else spec
                page = list_page(shown, _label(grid), query, result, summary, view, address)
                return {"page": page, "query": query, "query_string": query.query_string()[1:]}

            heading = f"{spec.title} · {grid}"
            return show_page(
                spec.name,
                "list_body.html",
                values,
                page="list.html",
                heading=heading,
                edition=str(reader.edition()),
            )
    except InventoryFault as fault:
        return _show_none(spec, grid, "fault", edition="fault", fault=str(fault))


def _show_record(spec: ListSpec, grid: str, key: str) -> Response:
    settings = current_settings()
    if settings.inventory_token_file is None:
        abort(404)
    from webapp.inventory.database import InventoryFault
    from webapp.inventory.reader import open_reader

    try:
        with open_reader(settings.inventory_folder, _checked(grid)) as reader:
            summary = reader.summary(spec.name) if reader else None
            if reader is None or summary is None:
                abort(404)
            tracked = reader.record(spec.name, key)
            if tracked is None:
                return _lead_on(reader.jobs_called(key) if spec is JOBS else [], grid, key)

            def values(view: SnapshotView) -> Values:
                return {"page": _record_page(reader, tracked, summary, view, grid)}

            return show_page(
                spec.name, "detail_body.html", values, heading=key, edition=str(reader.edition())
            )
    except InventoryFault as fault:
        return _show_none(spec, grid, "fault", edition="fault", fault=str(fault))


def _record_page(
    reader: InventoryReader, tracked: TrackedRecord, summary: ListSummary, view: SnapshotView, grid: str
) -> DetailPage:
    label, address = _label(grid), url_for("grid.show", grid=grid)
    names = {"grid": grid, "cloud": tracked.record.cloud}
    if isinstance(tracked.record, VmRecord):
        jobs = reader.jobs_on(tracked.key, _JOBS_ON_VM_MAX)
        page = vm_page(tracked, jobs, summary, view, label, address)
        about, names["host"] = "host", tracked.record.host
    else:
        page = job_page(tracked, summary, view, label, address)
        about, names["job"], names["host"] = (
            "job",
            tracked.record.id,
            tracked.record.host or tracked.record.last_host,
        )
    return replace(page, tools=links_about(current_settings().links, about, names))


def _lead_on(keys: list[str], grid: str, number: str) -> Response:
    """From a job's number alone to its page, or to all jobs of that number."""
    if not keys:
        abort(404)
    if len(keys) == 1:
        return redirect(url_for("lists.job", grid=grid, key=keys[0]))  # type: ignore[return-value]
    return redirect(url_for("lists.jobs", grid=grid, text=number))  # type: ignore[return-value]


def _show_none(
    spec: ListSpec, grid: str, why: str, *, edition: str | None = None, fault: str = ""
) -> Response:
    def values(view: SnapshotView) -> Values:
        title = f"{spec.title} of {_label(grid)}"
        return {"page": None, "title": title, "why": why, "fault": fault, "grid": grid, "spec": spec}

    heading = f"{spec.title} · {grid}"
    return show_page(spec.name, "list_body.html", values, heading=heading, edition=edition)


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
