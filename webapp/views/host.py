"""`/grids/<grid>/hosts/<host>`: a head node and the collector on it; the grid's own has the grid's name."""

from __future__ import annotations

from flask import Blueprint, Response, abort, url_for

from webapp.model.tree import Grid, Host
from webapp.pages.details import host_page
from webapp.poll.current import Moment, current_moment
from webapp.views.grid import find_grid
from webapp.views.render import Values, judge_of, show_page

blueprint = Blueprint("host", __name__)


@blueprint.get("/grids/<grid>/hosts/<host>")
def show(grid: str, host: str) -> Response:
    _find(current_moment(), grid, host)

    def values(moment: Moment) -> Values:
        return {"page": host_page(*_find(moment, grid, host), judge_of(moment), url_for)}

    return show_page("host", "detail_body.html", values, heading=f"{host} · {grid}")


def _find(moment: Moment, grid_name: str, host_name: str) -> tuple[Grid, Host]:
    grid = find_grid(moment, grid_name)
    for host in (grid.own, *grid.hosts):
        if host.name == host_name:
            return grid, host
    abort(404)
