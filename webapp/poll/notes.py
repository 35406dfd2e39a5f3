"""What each poll leaves behind beside its figures: what has begun and ended, and what has happened."""

from __future__ import annotations

import logging
import sqlite3

from webapp.annotations.derive import derive
from webapp.annotations.mirror import Mirror
from webapp.annotations.store import keeping_of, open_annotations
from webapp.model.conditions import note_conditions
from webapp.model.judge import judge_health
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Snapshot
from webapp.settings import PollSettings

log = logging.getLogger(__name__)

_MIRROR = Mirror()  # of this process


def note_poll(settings: PollSettings, before: Snapshot, after: Snapshot, outcome: PollOutcome) -> None:
    """Where that cannot be written the poll counts all the same."""
    view = SnapshotView(after, outcome, int(outcome.finished_at), settings.stale_after_s)
    try:
        health = judge_health(view, settings.health_rules)
        note_conditions(settings.state_dir, health, outcome.finished_at, settings.events_max)
    except (OSError, sqlite3.Error) as error:
        log.error("what is wrong since when cannot be remembered: %s", error)
    if before is after:
        return
    try:
        if happened := list(derive(before, after)):
            with open_annotations(settings.state_dir) as store:
                store.add(happened, keeping_of(settings), outcome.finished_at)
    except (OSError, sqlite3.Error) as error:
        log.error("what has happened cannot be noted: %s", error)
    if settings.graphite_events_url is not None:
        _MIRROR.start(settings.state_dir, settings.graphite_events_url)
