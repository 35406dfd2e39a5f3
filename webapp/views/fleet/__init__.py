"""`/fleet`: the worker fleet as Graphite knows it, and as its queue database does where that may be read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flask import Blueprint, Response, url_for

from webapp.model.snapshot_view import SnapshotView
from webapp.pages.details import QueueView, fleet_page
from webapp.serving.context import current_settings
from webapp.views.render import Values, edition_of, health_of, show_page

if TYPE_CHECKING:
    from webapp.views.batches.shown import AskedView
    from webapp.views.fleet.page import FleetOverview

blueprint = Blueprint("fleet", __name__)


REFRESH_S = 5.0  # of an open page that is looked at, where the queue is read


@blueprint.get("/fleet")
def show() -> Response:
    """Of the queue where it can be read: rendered anew, and not sent again where it is as the browser has
    it. Else of what was sent to Graphite, kept as long as that.
    """
    settings = current_settings()
    url = settings.fleet_database_url
    if url is None:
        return show_page("fleet", "fleet_body.html", partial(_values, None, None, None), heading="Fleet")
    from webapp.views.batches.reading import shown_asked  # SQLAlchemy: only where there is a queue to read
    from webapp.views.fleet.queue import read_queue

    queue, overview = read_queue(url, settings.health_rules)
    wishes = shown_asked()
    edition = edition_of(queue, overview, wishes)
    values = partial(_values, queue, overview, wishes)
    return show_page("fleet", "fleet_body.html", values, page="fleet.html", heading="Fleet", edition=edition)


def _values(
    queue: QueueView | None, overview: FleetOverview | None, wishes: AskedView | None, view: SnapshotView
) -> Values:
    found = {
        "page": fleet_page(health_of(view, with_since=True), url_for, queue),
        "fleet": overview,
        "wishes": wishes,
    }
    if queue is None:
        return found
    return {**found, "refresh_s": min(REFRESH_S, current_settings().refresh_every_s)}
