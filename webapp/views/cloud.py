"""`/grids/<grid>/clouds/<cloud>`: everything about one cloud."""

from __future__ import annotations

from flask import Blueprint, Response, abort, url_for

from webapp.moment import Moment, current_moment
from webapp.pages.details import cloud_page
from webapp.tree import Cloud, Grid
from webapp.views.grid import find_grid
from webapp.views.render import Values, judge_of, show_page

blueprint = Blueprint("cloud", __name__)


@blueprint.get("/grids/<grid>/clouds/<cloud>")
def show(grid: str, cloud: str) -> Response:
    _find(current_moment(), grid, cloud)

    def values(moment: Moment) -> Values:
        return {"page": cloud_page(*_find(moment, grid, cloud), judge_of(moment), url_for)}

    return show_page("cloud", "detail_body.html", values, heading=f"{cloud} · {grid}")


def _find(moment: Moment, grid_name: str, cloud_name: str) -> tuple[Grid, Cloud]:
    grid = find_grid(moment, grid_name)
    for cloud in grid.clouds:
        if cloud.name == cloud_name:
            return grid, cloud
    abort(404)
