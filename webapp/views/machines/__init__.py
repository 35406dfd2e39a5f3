"""`/machines`: machines and groups of the worker fleet by its queue database, with `/api/machines`."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.errors import RequestRefused
from webapp.model.snapshot_view import SnapshotView
from webapp.poll.current import current_view
from webapp.serving.context import current_settings
from webapp.views.machines import api
from webapp.views.render import Values, edition_of, show_page
from webapp.views.wishing import may_ask

__all__ = ["api", "blueprint"]

blueprint = Blueprint("machines", __name__)

REFRESH_S = 5.0  # of an open page that is looked at


@blueprint.get("/machines")
def show() -> Response:
    """Kept by nobody, and not sent again where it is as the browser has it."""
    page, why = None, ""
    try:
        from webapp.views.machines.queue import read_machines

        found = read_machines()
    except RequestRefused as refused:
        why = refused.message
    else:
        from webapp.views.machines.page import machines_page

        page = machines_page(found, current_view(), may_ask())
    given = {"page": page, "why": why, "refresh_s": min(REFRESH_S, current_settings().refresh_every_s)}

    def values(view: SnapshotView) -> Values:
        return given

    return show_page(
        "machines",
        "machines_body.html",
        values,
        page="machines.html",
        heading="Machines",
        edition=edition_of(given),
    )
