"""`/api/status`: every value the page shows. `/api/series`: what a plot shows. Described in openapi.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from pathlib import Path

from flask import Blueprint, Response, request

from webapp.errors import RequestRefused
from webapp.graphite.notes import IncompleteSpan, read_notes
from webapp.graphite.reading import Reading, Wish, read_targets
from webapp.graphite.targets import check_targets, check_work
from webapp.graphite.timerange import parse_range
from webapp.model.snapshot_view import SnapshotView
from webapp.poll.current import current_view
from webapp.serving.context import current_gate, current_settings, current_time
from webapp.serving.page_cache import cached_response

blueprint = Blueprint("api", __name__, url_prefix="/api")

POINTS_DEFAULT = 1000


@blueprint.get("/status")
def status() -> Response:
    return cached_response(_status, content_type="application/json")


@blueprint.get("/series")
def series() -> Response:
    settings = current_settings()
    targets = check_targets(request.args.getlist("target"), settings.series_max)
    now = current_time()
    span = parse_range(
        request.args.get("from", "-1h"),
        request.args.get("until", "now"),
        now,
        UTC,
        settings.range_max_days,
    )
    paths = current_view().snapshot.values
    check_work(targets, span, now, paths, settings.stored_points_max)
    points_max = read_number("points", min(POINTS_DEFAULT, settings.points_max), 10, settings.points_max)
    readings = read_targets(current_gate(), targets, Wish(span, points_max), now)
    notes = read_notes(current_gate(), readings, paths, now)
    return Response(
        write_with_series(
            {
                "from": span.from_s,
                "until": span.until_s,
                "step_s": readings[0].sampled.step_s,
                "incomplete": [describe_span(one) for one in notes.incomplete],
            },
            (_describe(*one) for one in zip(readings, notes.of_targets, strict=True)),
        ),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


@blueprint.get("/openapi.json")
def openapi() -> Response:
    return Response(
        (Path(__file__).parent.parent / "openapi.json").read_bytes(), content_type="application/json"
    )


def read_number(name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query, within bounds. Raises RequestRefused (400) saying which."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
        raise RequestRefused(
            400, f"{name}_refused", f"{name}={text[:50]!r} is not a number from {least} to {most}"
        )
    return int(text)


def write_with_series(head: dict[str, object], series: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """An object of JSON with `series` in it, one at a time: the whole text would take as much again."""
    yield json.dumps(head)[:-1] + ', "series": ['
    for number, one in enumerate(series):
        yield (", " if number else "") + json.dumps(one)
    yield "]}"


def describe_span(span: IncompleteSpan) -> dict[str, object]:
    return {"from": span.from_s, "until": span.until_s, "grid": span.grid, "text": span.text}


def _describe(reading: Reading, notes: list[str]) -> dict[str, object]:
    metric, sampled = reading.target.metric, reading.sampled
    return {
        "target": reading.target.text,
        "label": reading.target.label,
        "unit": metric.unit,
        "meaning": metric.meaning,
        "kind": metric.kind,
        "step_s": sampled.step_s,
        "timestamps": sampled.timestamps,
        "values": list(sampled.values),
        "notes": notes,
    }


def _status(view: SnapshotView) -> str:
    outcome = view.outcome
    values = (value for value in view.snapshot.values.values())
    return json.dumps(
        {
            "as_of": view.as_of,
            "taken_at": view.snapshot.taken_at or None,
            "age_s": view.age_s,
            "stale_after_s": view.stale_after_s,
            "poll": {"error": outcome.error or None, "failures": outcome.failures},
            "grids": [
                {"name": grid.name, "newest": grid.newest, "clouds": [cloud.name for cloud in grid.clouds]}
                for grid in view.snapshot.grids
            ],
            "values": {
                value.path: {
                    "value": value.value,
                    "timestamp": value.timestamp,
                    "freshness": view.freshness(value),
                }
                for value in values
            },
        }
    )
