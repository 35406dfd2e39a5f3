"""The status app. `create_app` builds it; nothing happens at import, and little is imported.

What sends alerts is a module of this package that runs beside the page, within the same limit of memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from webapp.settings import Settings


def create_app(settings: Settings, *, poll: bool = True, clock: Callable[[], float] = time.time) -> Flask:
    """Build the app; see webapp.app, which says what it raises."""
    from webapp import app

    return app.create_app(settings, poll=poll, clock=clock)
