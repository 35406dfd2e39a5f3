"""How every HTML page is answered: whole, or for a refresh its cells, or its body if the layout changed.

`?part=cells` gives the cells in the page's order with the id of its layout, `?part=body` the body's HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby
from typing import Any

from flask import Flask, Response, abort, json, render_template, request

from webapp.model.conditions import read_conditions, read_since
from webapp.model.health import Finding, Health
from webapp.model.judge import judge_health
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.cells import Cell, FilledBody, render_body
from webapp.pages.clouds import CloudColumn
from webapp.pages.happened import Event, events_of
from webapp.serving.assets import modules
from webapp.serving.context import current_settings
from webapp.serving.page_cache import cached_response, uncached_response

EVENTS_SHOWN_MAX = 100
NAV = (
    ("status", "Status", "status.show"),
    ("alerts", "Alerts", "alerts.show"),
    ("held", "Held", "held.show"),
    ("waiting", "Waiting", "waiting.show"),
    ("users", "Users", "users.show"),
    ("fleet", "Fleet", "fleet.show"),
    ("machines", "Machines", "machines.show"),
    ("plot", "Plot", "plot.show"),
)
QUERIES = ("queries", "Queries", "queries.show")
Values = Mapping[str, Any]


def health_of(view: SnapshotView, *, with_since: bool = False) -> Health:
    """What is wrong in the snapshot, and where a page shows that, since when."""
    settings = current_settings()
    return judge_health(view, settings.health_rules, read_since(settings.state_dir) if with_since else None)


def edition_of(*shown: object) -> str:
    """The same as long as what a page shows beside the snapshot is the same."""
    return sha256(repr(shown).encode("utf-8", "replace")).hexdigest()[:16]


def show_page(
    page_name: str,
    body: str,
    values: Callable[[SnapshotView], Values],
    *,
    page: str = "page.html",
    heading: str = "",
    with_events: bool = False,
    edition: str | None = None,
) -> Response:
    """Answer with the page whose body is the template `body`, filled by what `values` makes of the snapshot.

    With an `edition` it shows something beside the snapshot, and is rendered anew for each request.
    """
    part = request.args.get("part", "")
    if part not in ("", "cells", "body"):
        abort(404)

    def events() -> Sequence[Event]:
        if not with_events:
            return ()
        return events_of(read_conditions(current_settings().state_dir))[:EVENTS_SHOWN_MAX]

    def render(view: SnapshotView) -> str:
        found = values(view)
        filled = render_body(render_template, body, view=view, settings=current_settings(), **found)
        if part:
            return json.dumps(_refresh(view, filled, events(), with_html=part == "body"))
        return render_template(
            page,
            page_name=page_name,
            heading=heading,
            body=filled,
            view=view,
            settings=current_settings(),
            nav=NAV if current_settings().prometheus_url is None else (*NAV, QUERIES),
            modules=modules(),
            events=events(),
            **found,
        )

    content_type = "application/json" if part else "text/html; charset=utf-8"
    if edition is not None:
        return uncached_response(render, edition, content_type=content_type)
    return cached_response(render, key=f"{request.path}?{part}" if part else None, content_type=content_type)


def _refresh(
    view: SnapshotView, filled: FilledBody, events: Sequence[Event], *, with_html: bool
) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "layout": filled.layout,
        "taken_at": view.snapshot.taken_at,
        "poll_error": view.outcome.error,
        "held": held_text(view),
        "alerts": view.alerts._asdict(),
        "events": [event._asdict() for event in events],
    }
    return {**answer, "html": filled.html} if with_html else {**answer, "cells": filled.refresh}


def held_text(view: SnapshotView) -> str:
    """For the head of every page; "" where no fleet is held."""
    if not view.held_fleets:
        return ""
    held = ", ".join(view.held_fleets)
    return f"The whole fleet of {held} is held: nothing is claimed until resume --all."


def add_filters(app: Flask) -> None:
    """What the templates write with."""
    app.template_global()(held_text)
    for make in (clock, isotime, mark_cell, reason_cell, since_cell, cause_cell, group_slots):
        app.template_filter(make.__name__)(make)


def clock(at: float) -> str:
    """Time of day in UTC; the browser puts its own zone's in its place."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def isotime(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def mark_cell(finding: Finding) -> Cell:
    return Cell(finding.level.word, finding.level.kind, finding.text)


def reason_cell(finding: Finding) -> Cell:
    return Cell(finding.reason, finding.level.kind)


def since_cell(finding: Finding) -> Cell:
    return Cell(finding.since)


def cause_cell(finding: Finding) -> Cell:
    return Cell(finding.text, finding.level.kind)


def group_slots(columns: Sequence[CloudColumn]) -> Iterator[tuple[str, list[CloudColumn]]]:
    """Neighbouring columns, the slots apart from all others."""
    for is_slot, group in groupby(columns, key=lambda column: column.figure == "slot"):
        yield ("slot" if is_slot else "", list(group))
