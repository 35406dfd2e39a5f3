"""`/queries`: ready PromQL queries as links into the Prometheus or VictoriaMetrics that scrapes the page,
which is asked where it shows queries, so that no link leads into nothing.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from flask import Blueprint, Response

from webapp.errors import RequestRefused
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.queries import AS_JSON, GROUPS, PLACES, query_address
from webapp.serving.context import current_settings
from webapp.views.render import Values, show_page

_KEPT_S = 60.0
_CONNECT_S, _READ_S = 2.0, 3.0

blueprint = Blueprint("queries", __name__)

OFF = (
    "there are no queries: WEBAPP_PROMETHEUS_URL is not set; name there the Prometheus or VictoriaMetrics "
    "that scrapes this page (docs/prometheus/prometheus.yml)"
)


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


_sites = QuerySites()


@blueprint.get("/queries")
def show() -> Response:
    url = current_settings().prometheus_url
    if url is None:
        raise RequestRefused(404, "queries_off", OFF)
    site = _sites.find(url)
    groups = [
        (
            group.title,
            [
                (query, query_address(url, site.place, query.promql) if site.place else "")
                for query in group.queries
            ],
        )
        for group in GROUPS
    ]

    def values(view: SnapshotView) -> Values:
        return {"groups": groups, "site": site, "as_json": site.place == AS_JSON}

    edition = f"{site.place}{site.why}".encode().hex()
    return show_page("queries", "queries_body.html", values, heading="Queries", edition=edition)
