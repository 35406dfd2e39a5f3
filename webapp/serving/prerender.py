"""The status page rendered ahead: as soon as what it shows is new, so that no visitor waits for that.

Only while somebody visits: an address counts for a few minutes after this process was last asked for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from werkzeug.test import EnvironBuilder, run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_QUERIES = ("", "part=cells")  # the page, and what an open one asks for each minute
_ASKED_WITHIN_S = 150.0
_ADDRESSES_MAX = 8


class Prerenderer:
    """Notes who asks for the status page, and asks the app itself in their place."""

    def __init__(self, flask: WSGIApplication, clock: Callable[[], float] = time.monotonic) -> None:
        self._flask = flask
        self._clock = clock
        self._asked_at: dict[tuple[str, str], float] = {}  # of prefix and query

    def note(self, environ: WSGIEnvironment) -> None:
        address = (environ.get("SCRIPT_NAME", ""), environ.get("QUERY_STRING", ""))
        if environ["PATH_INFO"] != "/" or address[1] not in _QUERIES:
            return
        if address in self._asked_at or len(self._asked_at) < _ADDRESSES_MAX:
            self._asked_at[address] = self._clock()

    def render(self) -> None:
        """Have the page rendered and kept for every address that somebody has asked for lately."""
        for address, asked_at in list(self._asked_at.items()):
            if self._clock() - asked_at > _ASKED_WITHIN_S:
                del self._asked_at[address]
                continue
            prefix, query = address
            environ = EnvironBuilder(path="/", query_string=query).get_environ()
            environ["SCRIPT_NAME"] = prefix
            run_wsgi_app(self._flask, environ, buffered=True)
