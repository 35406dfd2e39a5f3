"""The routes, one blueprint a file; a page of the app is listed here once."""

from __future__ import annotations

from flask import Flask

from webapp.views import (
    across,
    alerts,
    api,
    api_alerts,
    api_annotations,
    api_azure,
    api_lists,
    badge,
    batches,
    details,
    export,
    fleet,
    health,
    inventory,
    lists,
    machines,
    metrics,
    plot,
    queries,
    status,
)  # fmt: skip
from webapp.views.fleet import results
from webapp.views.render import add_filters

BLUEPRINTS = (
    api.blueprint,
    api_lists.blueprint,
    api_alerts.blueprint,
    api_annotations.blueprint,
    api_azure.blueprint,
    inventory.blueprint,
    export.blueprint,
    health.blueprint,
    metrics.blueprint,
    badge.blueprint,
    status.blueprint,
    details.grids,
    details.clouds,
    details.hosts,
    lists.blueprint,
    across.held,
    across.waiting,
    across.users,
    fleet.blueprint,
    *results.BLUEPRINTS,
    batches.api.blueprint,
    machines.blueprint,
    machines.api.blueprint,
    alerts.blueprint,
    plot.blueprint,
    queries.blueprint,
)


def register_views(app: Flask) -> None:
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    add_filters(app)
