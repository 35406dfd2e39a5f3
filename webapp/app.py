"""What the status app is put together from."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from functools import partial

from flask import Flask, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

from cloud_monitor.settings import SettingsRefused
from webapp.alerts.annotate import note_alerts
from webapp.alerts.evaluate import Evaluator
from webapp.alerts.rules.rules import read_alert_settings
from webapp.errors import RequestRefused
from webapp.graphite.gate import GraphiteGate
from webapp.metrics.counters import SharedCounters
from webapp.model.build import GridOrder
from webapp.poll import current
from webapp.poll.poller import Poller
from webapp.serving import assets, page_cache
from webapp.serving.answers import handle_refusals
from webapp.serving.context import keep_parts
from webapp.serving.identity import read_tokens
from webapp.serving.middleware import Middleware
from webapp.serving.page_cache import Prerenderer
from webapp.serving.telemetry import trace_requests
from webapp.settings import FORWARDED, Settings
from webapp.views import register_views

POLLER = "cloud_monitor.poller"
EVALUATOR = "cloud_monitor.evaluator"


def create_app(settings: Settings, *, poll: bool = True, clock: Callable[[], float] = time.time) -> Flask:
    """Build the app. With `poll` a thread of it takes part in the deployment's one poll a minute.

    Without `poll` the page shows the snapshot that lies in `state_dir`. Raises assets.PartsMissing where the
    installation is not whole, SettingsRefused where the file of alerts says what cannot be, and where the
    packages are missing that read the fleet's queue.
    """
    assets.check_parts()
    _check_extras(settings)
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    if settings.inventory_token_file is not None:
        from cloud_monitor.system.process import share_one_heap

        share_one_heap()
    version = assets.hash_of(assets.FOLDER, assets.TEMPLATES)
    app = Flask(
        "webapp", static_url_path=f"/static/{assets.hash_of(assets.FOLDER)}", static_folder=str(assets.FOLDER)
    )
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = assets.MAX_AGE_S
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.json.compact = True  # type: ignore[attr-defined]

    order = GridOrder(settings.grids_first, settings.hidden_grids)
    latest = current.Latest(settings.state_dir, clock, order, settings.stale_after_s)
    latest.reload()
    counters = SharedCounters(settings.state_dir)
    gate = GraphiteGate(settings.graphite_url, settings.graphite_timeout_s, settings.state_dir)
    keep_parts(app, settings, clock, gate, counters)
    app.extensions[current.EXTENSION] = latest
    app.extensions[page_cache.EXTENSION] = pages = page_cache.PageCache(version)

    @app.template_global()
    def asset_url(name: str) -> str:
        return url_for("static", filename=name)

    handle_refusals(app)
    register_views(app)
    prerenderer = Prerenderer(app.wsgi_app)
    app.wsgi_app = Middleware(app.wsgi_app, prerenderer, pages, latest, counters, app.static_url_path or "")  # type: ignore[method-assign]
    app.wsgi_app = trace_requests(settings, latest, app.wsgi_app)  # type: ignore[method-assign,assignment]
    if hops := settings.trusted_proxies:
        believed = {f"x_{name}": hops if name in settings.trusted_headers else 0 for name in FORWARDED}
        app.wsgi_app = ProxyFix(app.wsgi_app, **believed)  # type: ignore[method-assign]
    if poll:
        app.extensions[POLLER] = poller = Poller(settings, latest, clock, counters, prerenderer.render)
        poller.start()
        app.extensions[EVALUATOR] = evaluator = Evaluator(
            settings.state_dir,
            settings.alerts_file,
            settings.health_rules,
            latest,
            clock,
            annotate=partial(note_alerts, settings),
        )
        evaluator.start()
    return app


def refuse_unusable(settings: Settings) -> None:
    """For `config check`: raises SettingsRefused as create_app does, and for empty files of tokens, with
    which requests are refused; makes nothing."""
    problems = []
    for setting, file in (
        ("WEBAPP_TOKEN_FILE", settings.token_file),
        ("WEBAPP_INVENTORY_TOKEN_FILE", settings.inventory_token_file),
        ("WEBAPP_AZURE_SECRET_FILE", settings.azure_secret_file),
    ):
        if (
            file is not None and os.path.isfile(file) and os.access(file, os.R_OK)
        ):  # others are told by themselves
            try:
                read_tokens(file, setting)
            except RequestRefused as refused:
                problems.append(str(refused))
    try:
        _check_extras(settings)
        read_alert_settings(settings.alerts_file)
    except SettingsRefused as error:
        problems.append(str(error))
    if problems:
        raise SettingsRefused("\n".join(problems))


def _check_extras(settings: Settings) -> None:
    """Now, rather than in each page that reads the queue."""
    given = settings.fleet_database_url or settings.wishes_database_url
    if given is not None and importlib.util.find_spec("sqlalchemy") is None:
        name = "FLEET" if settings.fleet_database_url else "WISHES"
        raise SettingsRefused(
            f"WEBAPP_{name}_DATABASE_URL needs SQLAlchemy: pip install 'cloud-monitor[webapp,fleet]'"
        )
