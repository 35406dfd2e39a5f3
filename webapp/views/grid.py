"""`/grids/<grid>`: everything about one grid."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, abort, url_for

from webapp.model.links import links_about
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Grid
from webapp.pages.details import grid_page
from webapp.pages.list_page import list_links
from webapp.poll.current import current_view
from webapp.serving.context import current_settings
from webapp.views.render import Values, health_of, show_page

blueprint = Blueprint("grid", __name__)


@blueprint.get("/grids/<grid>")
def show(grid: str) -> Response:
    find_grid(current_view(), grid)

    def values(view: SnapshotView) -> Values:
        found = find_grid(view, grid)
        settings = current_settings()
        page = grid_page(found, health_of(view, with_since=True), settings.columns, url_for)
        has_lists = settings.inventory_token_file is not None
        lists = list_links(url_for("grid.show", grid=grid)) if has_lists else ()
        return {"page": replace(page, lists=lists, tools=links_about(settings.links, "grid", {"grid": grid}))}

    return show_page("grid", "detail_body.html", values, heading=grid)


def find_grid(view: SnapshotView, name: str) -> Grid:
    """The grid of that name; 404 where the snapshot has none."""
    for grid in view.snapshot.grids:
        if grid.name == name:
            return grid
    abort(404)
