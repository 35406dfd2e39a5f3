"""Who answers: the routes of pages and of the API; each blueprint is listed here once."""

from __future__ import annotations

from flask import Flask

from webapp.views import (
    alerts,
    api,
    api_alerts,
    api_annotations,
    api_lists,
    batches,
    fleet,
    grids,
    health,
    lists,
    machines,
    plot,
    queries,
)  # fmt: skip
from webapp.views.fleet import results
from webapp.views.render import add_filters

BLUEPRINTS = (
    api.blueprint,
    api_lists.blueprint,
    api_alerts.blueprint,
    api_annotations.blueprint,
    api_lists.inventory,
    plot.export,
    health.health,
    health.metrics,
    health.badge,
    grids.status,
    grids.grids,
    grids.clouds,
    grids.hosts,
    lists.blueprint,
    grids.held,
    grids.waiting,
    grids.users,
    fleet.blueprint,
    *results.BLUEPRINTS,
    batches.api.blueprint,
    machines.blueprint,
    machines.api.blueprint,
    alerts.blueprint,
    plot.plot,
    queries.blueprint,
)


def register_views(app: Flask) -> None:
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    add_filters(app)
