"""Alerts and maintenance windows as annotations: when they began, and when they were over."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence

from webapp.alerts.model import Alert, Silence, StepResult
from webapp.annotations.model import ALERT, WINDOW, Annotation
from webapp.annotations.store import keeping_of, open_annotations
from webapp.settings import AnnotationSettings

log = logging.getLogger(__name__)


def note_alerts(
    settings: AnnotationSettings, result: StepResult, windows: Sequence[Silence], now: float
) -> None:
    """Bring what is noted in step with what is known. Where it cannot be written the next one does that."""
    firing = [one for one in result.known.alerts.values() if one.state == "firing"]
    ended_at = {_key(one): one.clear_since for one in result.ended if one.clear_since is not None}
    try:
        with open_annotations(settings.state_dir) as store:
            store.add(annotations_of(firing, windows), keeping_of(settings), now)
            store.sync_open(ALERT, [_key(one) for one in firing], ended_at, now)
    except (OSError, sqlite3.Error) as error:
        log.error("alerts cannot be noted as annotations: %s", error)


def annotations_of(firing: Sequence[Alert], windows: Sequence[Silence]) -> Iterator[Annotation]:
    """Of causes: what is explained by another alert is not marked beside it."""
    for alert in firing:
        if alert.cause is None and alert.clear_since is None:
            yield Annotation(
                alert.since, None, ALERT, alert.text, alert.key.place, tags=(alert.key.rule,), key=_key(alert)
            )
    for window in windows:
        place = "" if window.place == "*" else window.place
        text = window.comment or "maintenance"
        key = f"window {window.starts_at:.0f} {window.rule} {window.place}"
        yield Annotation(window.starts_at, window.ends_at, WINDOW, text, place, key=key)


def _key(alert: Alert) -> str:
    return f"alert {alert.id} {alert.since:.0f}"
