"""`/queries`: ready PromQL queries as links into the Prometheus or VictoriaMetrics that scrapes the page."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.errors import RequestRefused
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.queries import AS_JSON, GROUPS, query_address
from webapp.serving.context import current_settings
from webapp.serving.query_site import QuerySites
from webapp.views.render import Values, show_page

blueprint = Blueprint("queries", __name__)

OFF = (
    "there are no queries: WEBAPP_PROMETHEUS_URL is not set; name there the Prometheus or VictoriaMetrics "
    "that scrapes this page (docs/prometheus/prometheus.yml)"
)
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
