"""Which page of a Prometheus or VictoriaMetrics shows a query, so that no link leads into nothing."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from webapp.pages.queries import PLACES

_KEPT_S = 60.0
_CONNECT_S, _READ_S = 2.0, 3.0


class QuerySite(NamedTuple):
    """`place` is one of PLACES, or "" where none answers, and then `why` says what was answered."""

    place: str
    why: str


class QuerySites:
    """Asked at most once a minute; while one thread asks, the others take what was known before."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._found: dict[str, tuple[float, QuerySite]] = {}

    def find(self, url: str) -> QuerySite:
        kept_until, site = self._found.get(
            url, (0.0, QuerySite("", "is being asked: look again in a moment"))
        )
        if time.monotonic() < kept_until or not self._asking.acquire(blocking=False):
            return site
        try:
            site = _ask(url)
            self._found[url] = (time.monotonic() + _KEPT_S, site)
        finally:
            self._asking.release()
        return site


def _ask(url: str) -> QuerySite:
    import requests

    why = ""
    for place in PLACES:
        try:
            with requests.get(url + place, timeout=(_CONNECT_S, _READ_S), stream=True) as answer:
                if answer.status_code == 200:
                    return QuerySite(place, "")
                why = f"answers {answer.status_code} on {place.partition('?')[0]}"
        except requests.RequestException as error:
            return QuerySite("", f"cannot be reached from the page's server: {type(error).__name__}")
    return QuerySite("", why)
