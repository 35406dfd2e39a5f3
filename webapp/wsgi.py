"""For WSGI servers that build the app by a call, such as `gunicorn 'webapp.wsgi:make()'`."""

from __future__ import annotations

import logging
from pathlib import Path

from flask import Flask

from cloud_monitor.system.files import is_absent
from webapp import create_app
from webapp.settings import CONFIG, read_settings


def make(config: str | None = None) -> Flask:
    """The app with the settings of `config`, by default those of CONFIG where it exists. Starts polling."""
    file = Path(config) if config else None if is_absent(CONFIG) else CONFIG
    warnings: list[str] = []
    settings = read_settings(config=file, warn=warnings.append)
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
    for line in warnings:
        logging.warning("%s", line)
    return create_app(settings)
