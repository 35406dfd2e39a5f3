"""One evaluation a minute for the whole deployment: observe -> step -> one transaction -> sender, heartbeat.

Every process has an Evaluator. Whichever gets the lock when a minute is due evaluates, also while polls back
off. Where the state cannot be written it keeps the lock, goes on in memory and has messages sent at once.
"""

from __future__ import annotations

import atexit
import logging
import os
import sqlite3
import subprocess
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cloud_monitor.system.locks import FileLock, take_lock
from webapp.alerts.changes import publish_count
from webapp.alerts.engine import step
from webapp.alerts.model import Alert, Known, Samples, Silence, StepResult
from webapp.alerts.observe import observe
from webapp.alerts.rules.current import CurrentRules
from webapp.alerts.rules.windows import open_windows
from webapp.alerts.sending.alertmanager import AlertmanagerLink, channel_name, posts_of, silences_on
from webapp.alerts.sending.message import messages_of
from webapp.alerts.sending.orders import BACK_OFF_S
from webapp.alerts.sending.outbox import OutMessage
from webapp.alerts.sending.sender import start_sender
from webapp.alerts.store import AlertStore, HistoryEntry, open_store, read_alerts
from webapp.model.conditions import read_since
from webapp.model.health import Health, HealthRules
from webapp.model.judge import judge_health
from webapp.poll.current import Latest

log = logging.getLogger(__name__)

LOCK_NAME = "alerts.lock"
_HEARTBEAT_S = 5.0
_FINISH_S = 2.0


class Pace(NamedTuple):
    """How often; shorter in tests alone."""

    every_s: float = 60.0
    after_s: float = 40.0  # past each minute: when the poll has ended
    look_for_due_s: float = 5.0
    tick_s: float = 1.0
    back_off_s: tuple[float, ...] = BACK_OFF_S

    def is_due(self, evaluated_at: float, now: float) -> bool:
        """Whether the minute at hand has not been evaluated; also after the clock was set back."""
        return (now - self.after_s) // self.every_s != (evaluated_at - self.after_s) // self.every_s


EACH_MINUTE = Pace()
Annotate = Callable[[StepResult, Sequence[Silence], float], None]


class Evaluator:
    """The thread that takes its turn at evaluating."""

    def __init__(
        self,
        state_dir: Path,
        alerts_file: Path | None,
        health_rules: HealthRules,
        latest: Latest,
        clock: Callable[[], float],
        pace: Pace = EACH_MINUTE,
        annotate: Annotate = lambda result, windows, now: None,
    ) -> None:
        """`annotate` is told what each evaluation led to. Raises SettingsRefused where the file says what
        cannot be.
        """
        self._state_dir, self._file, self._clock = state_dir, alerts_file, clock
        self._health_rules, self._latest = health_rules, latest
        self._pace, self._annotate = pace, annotate
        self._rules = CurrentRules(alerts_file)
        self._settings = self._rules.read()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._held: FileLock | None = None
        self._evaluated_at = 0.0
        self._is_last = False  # the one that evaluated last looks for messages that are due
        self._looked_at = 0.0
        self._memory: tuple[Known, Samples] | None = None  # while the state cannot be written
        self._sender: subprocess.Popen[bytes] | None = None
        self._asking: threading.Thread | None = None
        self._alertmanagers = AlertmanagerLink(state_dir, clock)

    def start(self) -> None:
        """Start the thread here and in every process that is forked from this one."""
        this = weakref.ref(self)

        def start_again() -> None:
            if (evaluator := this()) is not None and not evaluator._stop.is_set():
                evaluator._leave_to_parent()
                evaluator._run_thread()

        os.register_at_fork(after_in_child=start_again)
        atexit.register(self.finish)
        self._run_thread()

    def finish(self) -> None:
        self._stop.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(_FINISH_S)

    def tick(self) -> bool:
        """Evaluate if it is time and no other process is at it; whether this one did."""
        now = self._clock()
        if self._sender is not None and self._sender.poll() is not None:
            self._sender = None
        if self._pace.is_due(self._evaluated_at, now) and self._take_lock():
            try:
                return self._take_turn(now)
            finally:
                if self._memory is None:
                    self._free_lock()
        if self._is_last and abs(now - self._looked_at) >= self._pace.look_for_due_s:
            self._looked_at = now
            self._send_what_is_due(now)
        return False

    def _run_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.tick()
            except Exception:
                log.exception("the evaluation of alerts ended in a fault of its own")
                self._evaluated_at = self._clock()
            self._stop.wait(self._pace.tick_s)

    def _take_turn(self, now: float) -> bool:
        self._settings = self._rules.read()
        health = self._judge(now)
        try:
            with open_store(self._state_dir) as store:
                self._evaluated_at = store.evaluated_at
                if not self._pace.is_due(self._evaluated_at, now) and self._memory is None:
                    self._is_last = False
                    return False
                noted = self._evaluate(store, health, now)
                due = store.outbox.count_waiting(now)
        except (OSError, sqlite3.Error) as error:
            log.error("alerts cannot be kept in %s: %s; they are sent from memory", self._state_dir, error)
            self._evaluate_in_memory(health, now, str(error))
        else:
            self._memory = None
            self._annotate(*noted, now)
            if due:
                self._start_sender()
            self._ask_heartbeat()
            posts = posts_of(noted[0], self._settings, now)
            self._alertmanagers.exchange(self._settings.alertmanager_urls, posts)
        self._evaluated_at, self._is_last = now, True
        return True

    def _judge(self, now: float) -> Health:
        self._latest.reload()
        view = replace(self._latest.view(), as_of=int(now))
        return judge_health(view, self._health_rules, read_since(self._state_dir))

    def _evaluate(
        self, store: AlertStore, health: Health, now: float
    ) -> tuple[StepResult, tuple[Silence, ...]]:
        """What it led to, and the windows that are open."""
        known, samples = store.read_known(), store.read_samples()
        before = known
        if self._memory is not None:
            known, samples = self._memory
        silences = store.read_silences()
        managers = map(channel_name, self._settings.alertmanager_urls)
        store.outbox.forget_channels_but((*self._settings.channels, *managers))
        channels, azure = store.outbox.read_channels(), store.read_azure()
        observed, after = observe(self._settings.rules, health, channels, known, samples, now, azure)
        windows = open_windows(self._settings.windows, self._settings.zone, now)
        foreign = store.read_foreign_silences() if self._settings.alertmanager_urls else ()
        keys = known.alerts.keys() | observed.seen.keys()
        theirs = silences_on(foreign, keys, self._settings)
        result = step(known, self._settings.rules, observed, (*silences, *windows, *theirs), now)
        store.write_known(before, result.known)
        store.write_samples(after)
        for notice in result.notices:
            store.outbox.queue(messages_of(notice, self._settings, now), now)
        for entry in _entries(result, now):
            store.note(entry)
        for silence in silences:
            if _has_ended(silence, result.known, now, self._pace.every_s):
                store.remove_silence(silence.number)
                store.note(
                    HistoryEntry(now, "silence ended", "", silence.rule, silence.place, "", silence.words)
                )
        publish_count(store, self._settings, self._state_dir, now)
        store.note_evaluated(now)
        store.forget_old(now)
        return result, windows

    def _evaluate_in_memory(self, health: Health, now: float, error: str) -> None:
        known, samples = self._memory or (read_alerts(self._state_dir).known, {})
        observed, after = observe(self._settings.rules, health, (), known, samples, now)
        windows = open_windows(self._settings.windows, self._settings.zone, now)
        result = step(known, self._settings.rules, observed, windows, now)
        self._memory = (result.known, after)
        messages = [
            replace(one, body=f"{one.body}\nSent from memory: the state folder cannot be written ({error}).")
            for notice in result.notices
            if notice.kind != "action"
            for one in messages_of(notice, self._settings, now)
        ]
        if messages:
            self._start_sender(messages)

    def _send_what_is_due(self, now: float) -> None:
        try:
            with open_store(self._state_dir) as store:
                due = store.outbox.count_waiting(now)
        except (OSError, sqlite3.Error):
            return
        if due:
            self._start_sender()

    def _start_sender(self, messages: list[OutMessage] | None = None) -> None:
        if self._sender is not None and messages is None:
            return
        self._sender = start_sender(self._state_dir, self._settings, messages, self._pace.back_off_s)

    def _ask_heartbeat(self) -> None:
        """Who watches the watcher: in a thread, so that a slow answer delays nothing."""
        url = self._settings.heartbeat_url
        if url and (self._asking is None or not self._asking.is_alive()):
            self._asking = threading.Thread(target=_ask, args=(url,), name="heartbeat", daemon=True)
            self._asking.start()

    def _take_lock(self) -> bool:
        if self._held is not None:
            return True
        try:
            self._held = take_lock(self._state_dir / LOCK_NAME)
        except OSError as error:
            log.error("alerts are not evaluated: %s", error)
        return self._held is not None

    def _free_lock(self) -> None:
        if self._held is not None:
            self._held.release()
            self._held = None

    def _leave_to_parent(self) -> None:
        """In a forked child: lock, sender and what is kept in memory are the parent's."""
        self._free_lock()
        self._memory, self._sender, self._asking, self._is_last = None, None, None, False
        self._alertmanagers = AlertmanagerLink(self._state_dir, self._clock)


def _ask(url: str) -> None:
    import requests

    try:
        requests.get(url, timeout=_HEARTBEAT_S, stream=True).close()
    except requests.RequestException as error:
        log.warning("the heartbeat's address does not answer: %s", type(error).__name__)


def _entries(result: StepResult, now: float) -> list[HistoryEntry]:
    def entry(what: str, alert: Alert) -> HistoryEntry:
        return HistoryEntry(now, what, "", *alert.key, alert.id, alert.text)

    return [
        *(entry("fired", one) for one in result.begun),
        *(entry(f"told: {one.kind}", one.alert) for one in result.notices),
        *(entry("over", one) for one in result.ended),
    ]


def _has_ended(silence: Silence, known: Known, now: float, every_s: float) -> bool:
    if now >= silence.ends_at:
        return True
    is_empty = not any(silence.covers(key, now) for key in known.alerts)
    return silence.until_over and is_empty and now - silence.starts_at >= every_s
