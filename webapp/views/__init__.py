"""The routes, one blueprint a file; a page of the app is listed here once."""

from __future__ import annotations

from flask import Flask

from webapp.views import api, health

BLUEPRINTS = (api.blueprint, health.blueprint)


def register_views(app: Flask) -> None:
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
