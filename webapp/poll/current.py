"""What a request is answered from: the snapshot, how the polling goes, and the time ages are counted to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flask import current_app

from cloud_monitor.system.files import stamp_of
from webapp.model.build import GridOrder, build_snapshot
from webapp.model.snapshot_view import AlertCount, PollOutcome, SnapshotView
from webapp.poll.state_files import (
    ALERTS_NAME,
    OUTCOME_NAME,
    SNAPSHOT_NAME,
    read_alert_count,
    read_outcome,
    read_polled,
)

EXTENSION = "cloud_monitor.latest"


class Latest:
    """The newest snapshot and outcome in this process. `reload` is the only part that reads files."""

    def __init__(
        self, state_dir: Path, clock: Callable[[], float], order: GridOrder, stale_after_s: float
    ) -> None:
        self._state_dir = state_dir
        self._clock = clock
        self._order = order
        self._stale_after_s = stale_after_s
        self._stamps: dict[str, tuple[int, int, int] | None] = {}
        self._reloading = threading.Lock()
        self.snapshot = build_snapshot(0.0, [], order)
        self.outcome = PollOutcome()
        self.alerts = AlertCount()

    def reload(self) -> bool:
        """Read what has changed since the last time; True if anything had."""
        with self._reloading:
            snapshot = self._has_changed(SNAPSHOT_NAME)
            outcome = self._has_changed(OUTCOME_NAME)
            if snapshot:
                polled = read_polled(self._state_dir)
                self.snapshot = replace(
                    build_snapshot(polled.taken_at, polled.values, self._order),
                    clocks_ahead_s={owner: clock.ahead_s for owner, clock in polled.clocks.items()},
                    steps_s=polled.steps.by_grid,
                )
            if outcome:
                self.outcome = read_outcome(self._state_dir)
            if alerts := self._has_changed(ALERTS_NAME):
                self.alerts = read_alert_count(self._state_dir)
            return snapshot or outcome or alerts

    def renew_lock(self) -> None:
        """In a forked child: the parent's thread may have held the lock, and is not here to free it."""
        self._reloading = threading.Lock()

    def fail(self, error: str) -> None:
        """Show a fault that could not even be written down; the next outcome that is read replaces it."""
        failures = self.outcome.failures + 1
        self.outcome = replace(self.outcome, error=error, failures=failures, finished_at=self._clock())

    def view(self) -> SnapshotView:
        """Ages are counted to the start of the minute, or to the last poll's end when that is later."""
        minute = int(self._clock()) // 60 * 60
        snapshot, outcome = self.snapshot, self.outcome
        as_of = max(minute, int(outcome.finished_at))
        return SnapshotView(snapshot, outcome, as_of, self._stale_after_s, self.alerts)

    def _has_changed(self, name: str) -> bool:
        stamp = stamp_of(self._state_dir / name)
        if stamp is None or stamp == self._stamps.get(name):  # a file that went away takes nothing with it
            return False
        self._stamps[name] = stamp
        return True


def current_view() -> SnapshotView:
    """What the request at hand is answered from."""
    latest: Latest = current_app.extensions[EXTENSION]
    return latest.view()


def reload_view() -> None:
    """After a change: what is answered next shows it."""
    latest: Latest = current_app.extensions[EXTENSION]
    latest.reload()
