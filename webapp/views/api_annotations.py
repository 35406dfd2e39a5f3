"""`/api/annotations`: what happened when, and a way to note more. Described in openapi.json."""

from __future__ import annotations

import sqlite3
from datetime import UTC
from typing import Annotated, Any

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from webapp.annotations.model import NOTE, PLACE_MAX, TAG, TAGS_MAX, TEXT_MAX, Annotation
from webapp.annotations.store import FOUND_MAX, find_annotations, keeping_of, open_annotations
from webapp.errors import RequestRefused
from webapp.graphite.timerange import parse_range
from webapp.serving.answers import json_answer
from webapp.serving.context import current_settings, current_time
from webapp.serving.identity import audit, identify, read_change_as
from webapp.views.api import read_number

blueprint = Blueprint("api_annotations", __name__, url_prefix="/api")

AHEAD_MAX_S = 366 * 86400
_FOUND_DEFAULT = 300
_EPOCH_MAX = 253_402_300_799  # the year 9999


class NewAnnotation(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    text: str = Field(min_length=1, max_length=TEXT_MAX)
    place: str = Field("", max_length=PLACE_MAX)
    at: float | None = Field(None, ge=0, le=_EPOCH_MAX)
    until: float | None = Field(None, ge=0, le=_EPOCH_MAX)
    tags: list[Annotated[str, Field(pattern=f"^{TAG}$")]] = Field([], max_length=TAGS_MAX)

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> NewAnnotation:
        if self.until is not None and (self.at is None or self.until < self.at):
            raise ValueError("until: needs an earlier `at`")
        return self


@blueprint.get("/annotations")
def list_annotations() -> Response:
    settings, now = current_settings(), current_time()
    span = parse_range(
        request.args.get("from", "-1d"), request.args.get("until", "now"), now, UTC, settings.range_max_days
    )
    limit = read_number("limit", _FOUND_DEFAULT, 1, FOUND_MAX)
    found = shown_annotations(span.from_s, span.until_s, request.args.get("grid", "")[:100], limit)
    return json_answer(
        {"from": span.from_s, "until": span.until_s, "annotations": list(map(describe, found))}
    )


@blueprint.post("/annotations")
def annotate() -> Response:
    who, now = identify(), current_time()
    asked = read_change_as(NewAnnotation)
    at = now if asked.at is None else asked.at
    if at > now + AHEAD_MAX_S:
        raise RequestRefused(400, "body_refused", "at: lies more than a year ahead")
    until = at if asked.until is None else asked.until
    annotation = Annotation(at, until, NOTE, asked.text, asked.place, who.name, tuple(asked.tags))
    settings = current_settings()
    try:
        with open_annotations(settings.state_dir) as store:
            store.add([annotation], keeping_of(settings), now)
    except (OSError, sqlite3.Error) as error:
        raise RequestRefused(503, "cannot_keep", f"it cannot be kept: {error}", retry_after_s=60) from None
    audit(who, "annotated", f"{asked.place or 'everything'}: {asked.text}")
    return json_answer(describe(annotation), 201)


def shown_annotations(from_s: float, until_s: float, grid: str, count_max: int) -> tuple[Annotation, ...]:
    """The newest first, without those of grids that are hidden."""
    settings = current_settings()
    found = find_annotations(settings.state_dir, from_s, until_s, grid, count_max)
    return tuple(one for one in found if one.grid not in settings.hidden_grids)


def describe(annotation: Annotation) -> dict[str, Any]:
    return {
        "at": annotation.at,
        "until": annotation.until,
        "kind": annotation.kind,
        "label": annotation.label,
        "text": annotation.text,
        "grid": annotation.grid or None,
        "place": annotation.place,
        "by": annotation.by,
        "tags": list(annotation.tags),
    }
