"""What happened, as lines: when, what kind, what, by whom. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from cloud_monitor.system.text import duration_text
from webapp.annotations.model import KINDS, NOTE, Annotation


class HappenedLine(NamedTuple):
    at: float
    time: str  # UTC
    kind: str
    label: str
    text: str


def happened_lines(annotations: Iterable[Annotation]) -> Iterator[HappenedLine]:
    for one in annotations:
        label = KINDS.get(one.kind, one.kind)
        if one.kind == NOTE and one.tags:
            label = ", ".join(one.tags)
        lasted = ""
        if one.until is None:
            lasted = " (goes on)"
        elif one.until > one.at:
            lasted = f" ({duration_text(one.until - one.at)})"
        by = f" by {one.by}" if one.by else ""
        time = f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%d %H:%M}"
        yield HappenedLine(one.at, time, one.kind, label, f"{one.text}{lasted}{by}")
