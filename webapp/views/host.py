"""`/grids/<grid>/hosts/<host>`: a head node and the collector on it; the grid's own has the grid's name."""

from __future__ import annotations

from flask import Blueprint, Response, abort, url_for

from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Grid, Host
from webapp.pages.details import host_page
from webapp.poll.current import current_view
from webapp.views.grid import find_grid
from webapp.views.render import Values, health_of, show_page

blueprint = Blueprint("host", __name__)


@blueprint.get("/grids/<grid>/hosts/<host>")
def show(grid: str, host: str) -> Response:
    _find(current_view(), grid, host)

    def values(view: SnapshotView) -> Values:
        return {"page": host_page(*_find(view, grid, host), health_of(view, with_since=True), url_for)}

    return show_page("host", "detail_body.html", values, heading=f"{host} · {grid}")


def _find(view: SnapshotView, grid_name: str, host_name: str) -> tuple[Grid, Host]:
    grid = find_grid(view, grid_name)
    for host in (grid.own, *grid.hosts):
        if host.name == host_name:
            return grid, host
    abort(404)
