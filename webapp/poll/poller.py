"""One poll for the whole deployment: fetch -> parse -> carry forward -> snapshot file.

Every process has a Poller. Whichever gets the lock when a poll is due notes the attempt and polls; the
others see the attempt, leave it at that, and read the files when they change. No request waits for any of it.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cloud_monitor.metrics.paths import ROOT
from cloud_monitor.repeated_failures import OngoingFailure
from cloud_monitor.system.locks import take_lock
from cloud_monitor.system.process import give_back_memory
from webapp.graphite.client import GraphiteFault, RenderBody, fetch, parse_series
from webapp.metrics.counters import POLL_DURATION, POLLS, SharedCounters
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Value
from webapp.poll.current import Latest
from webapp.poll.notes import note_poll
from webapp.poll.plan import is_whole_due, log_text, next_attempt, poll_targets
from webapp.poll.retention import carry_forward, group_of, is_text, newest_value
from webapp.poll.state_files import (
    Polled,
    read_arrivals,
    read_outcome,
    read_polled,
    write_outcome,
    write_polled,
)
from webapp.poll.times import (
    CLOCK_TARGETS,
    LOOK_AHEAD_S,
    LOOK_S,
    Clock,
    StoreSteps,
    find_steps,
    observe_all,
    set_right,
)
from webapp.settings import PollSettings

log = logging.getLogger(__name__)

LOCK_NAME = "poll.lock"
_TICK_S = 1.0
_FLUSH_S = 1.0
_FINISH_S = 4.0  # mod_wsgi grants 5 s before it kills
_ANSWER_MAX_BYTES = 256 * 2**20
_CLOCKS_MAX_BYTES = 8 * 2**20
_LITTLE_MAX_S = 5.0
_HEARTBEATS = f"{ROOT}.*.heartbeat.*"
_FIRST_WINDOW_S = 86400  # a grid that is stale when the app starts should be seen as stale, not be absent


class Poller:
    """The thread that keeps this process's Latest up to date and takes its turn at polling."""

    def __init__(
        self,
        settings: PollSettings,
        latest: Latest,
        clock: Callable[[], float],
        counters: SharedCounters,
        on_news: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_news` is called in the thread whenever pages are to be rendered anew."""
        self._settings = settings
        self._latest = latest
        self._clock = clock
        self._counters = counters
        self._on_news = on_news
        self._stamp = ""
        self._flush_at = 0.0
        self._stop = threading.Event()
        self._rest_until = 0.0
        self._fault = OngoingFailure()  # what keeps this process from polling
        self._asked = 0  # requests of the poll that is under way
        self._has_polled = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread here and, for servers that load the app before they fork, in every child."""
        this = weakref.ref(self)

        def start_again() -> None:
            if (poller := this()) is not None and not poller._stop.is_set():
                poller._latest.renew_lock()
                poller._run_thread()

        os.register_at_fork(after_in_child=start_again)
        atexit.register(self.finish)
        self._run_thread()

    def stop(self) -> None:
        self._stop.set()

    def finish(self) -> None:
        """Stop, and let a poll that is under way end if that is soon: servers restart processes."""
        self._stop.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(_FINISH_S)

    def tick(self) -> None:
        """Read what has changed; poll if it is time and no other process is at it."""
        self._latest.reload()
        now = self._clock()
        if now >= self._rest_until and self._is_due(self._latest.outcome, now):
            with self._elected() as elected:
                if elected and self._is_due(read_outcome(self._settings.state_dir), now):
                    self._poll(now)
            self._latest.reload()
        if (stamp := self._latest.view().stamp) != self._stamp:
            self._stamp = stamp
            self._on_news()
            give_back_memory()  # that polling and rendering have left in gaps
        if now >= self._flush_at:
            self._flush_at = now + _FLUSH_S
            self._counters.flush()

    def _run_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="poll", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.tick_safely()
            self._stop.wait(_TICK_S)

    def tick_safely(self) -> None:
        """As `tick`; what goes wrong is shown and logged: when it begins, hourly, and when it is over."""
        is_resting = self._clock() < self._rest_until
        try:
            self.tick()
        except OSError as error:  # a full disk, a folder that went away: the page shows what it has
            where, said = self._settings.state_dir, error.strerror or str(error)
            if self._fault.is_to_be_told(said):
                log.error("cannot poll: %s; WEBAPP_STATE_DIR=%s must be writable and not full", error, where)
            self._latest.fail(f"state folder {where}: {said}")
            self._rest_until = self._clock() + self._settings.poll_every_s
        except Exception:
            log.exception("poll ended in a fault of its own")
            self._latest.fail("the poll ended in a fault of its own; the log says more")
            self._rest_until = self._clock() + self._settings.poll_every_s
        else:
            if not is_resting and (fault := self._fault.end()):
                log.warning("polls again after: %s", fault)

    def _is_due(self, outcome: PollOutcome, now: float) -> bool:
        every_s, after_s = self._settings.poll_every_s, self._settings.poll_after_step_s
        return now >= next_attempt(outcome, now, every_s, after_s)

    @contextmanager
    def _elected(self) -> Iterator[bool]:
        """Whether this thread, of all there are, may poll. The system frees a dead process's flock."""
        lock = take_lock(self._settings.state_dir / LOCK_NAME)
        try:
            yield lock is not None
        finally:
            if lock is not None:
                lock.release()

    def _poll(self, now: float) -> None:
        state_dir = self._settings.state_dir
        last = read_outcome(state_dir)
        outcome = replace(last, attempted_at=now)
        write_outcome(state_dir, outcome)
        known = read_polled(state_dir)
        started, self._asked = time.monotonic(), 0
        is_whole = True
        try:
            if outcome.failures:
                is_whole = False
                self._ask_little(now)
                if not is_whole_due(outcome, now, self._settings.poll_every_s):
                    return  # it answers, and would fail over everything again: what went wrong stands
                is_whole = True
            outcome = replace(outcome, whole_attempted_at=now)
            steps = known.steps if known.steps.is_known(now) else self._find_steps(now)
            window_s = steps.window_s(self._settings.poll_window_s)
            found, refused_names = self._fetch_values(now, window_s, first=not known.values)
            clocks = self._compare_clocks(now, known)
            found = set_right(found, clocks)
            if known.values and not found:
                raise GraphiteFault(
                    f"{self._settings.graphite_url} has no point of the last {window_s:g} s: "
                    "every collector has stopped, or it is another Graphite"
                )
        except GraphiteFault as fault:
            whole_failures = outcome.whole_failures + 1 if is_whole else 0
            outcome = replace(
                outcome, failures=outcome.failures + 1, whole_failures=whole_failures, error=str(fault)
            )
        else:
            rules = (self._settings.forget_after_s, self._settings.forget_grid_after_s)
            values = carry_forward(found, known.values, now, *rules)
            write_polled(state_dir, Polled(now, values, clocks, steps))
            outcome = replace(
                outcome,
                succeeded_at=now,
                failures=0,
                whole_failures=0,
                empty_polls=0 if found else outcome.empty_polls + 1,
                error="",
                series=len(found),
                refused_names=refused_names,
            )
        outcome = replace(
            outcome,
            finished_at=self._clock(),
            duration_s=time.monotonic() - started,
            requests=self._asked,
        )
        if text := log_text(last, outcome, is_first=not self._has_polled):
            log.warning("%s", text)
        self._has_polled = True
        before = self._latest.snapshot
        self._latest.reload()
        note_poll(
            self._settings, before, self._latest.snapshot, outcome
        )  # before the outcome, which has every process render its pages anew
        write_outcome(state_dir, outcome)
        self._latest.reload()
        result = "failed" if outcome.error else "ok"
        self._counters.add(POLLS, result)
        self._counters.observe(POLL_DURATION, result, outcome.duration_s)

    def _ask_little(self, now: float) -> None:
        """Raises GraphiteFault where the store does not even answer one small question."""
        settings = self._settings
        timeout_s = min(_LITTLE_MAX_S, settings.graphite_timeout_s)
        answer = self._fetch([_HEARTBEATS], now, settings.poll_window_s, timeout_s, _CLOCKS_MAX_BYTES)
        for _ in parse_series(answer.body, settings.graphite_url):
            pass

    def _fetch(
        self, targets: Sequence[str], now: float, back_s: float, timeout_s: float, bytes_max: int, **more: Any
    ) -> RenderBody:
        self._asked += 1
        bounds: dict[str, Any] = {"timeout_s": timeout_s, "bytes_max": bytes_max, "drop_nulls": True, **more}
        return fetch(self._settings.graphite_url, targets, int(now - back_s), int(now), **bounds)

    def _find_steps(self, now: float) -> StoreSteps:
        url, timeout_s = self._settings.graphite_url, self._settings.graphite_timeout_s
        answer = self._fetch([_HEARTBEATS], now, LOOK_S, timeout_s, _ANSWER_MAX_BYTES, drop_nulls=False)
        return find_steps(parse_series(answer.body, url), now)

    def _fetch_values(self, now: float, window_s: float, *, first: bool) -> tuple[list[Value], int]:
        """The newest values, and how many series are left out because their names are no text."""
        settings = self._settings
        deadline = time.monotonic() + settings.poll_timeout_s
        asks = [(target, window_s) for target in poll_targets()]
        if first:
            asks.insert(0, (_HEARTBEATS, max(window_s, _FIRST_WINDOW_S)))
        found: dict[str, Value] = {}
        refused: set[str] = set()
        for target, back_s in asks:
            timeout_s = max(0.1, min(settings.graphite_timeout_s, deadline - time.monotonic()))
            answer = self._fetch([target], now, back_s, timeout_s, _ANSWER_MAX_BYTES)
            for series in parse_series(answer.body, settings.graphite_url):
                value = newest_value(series, found)
                if value is None:
                    continue
                if group_of(value.path) is not None:
                    found[value.path] = value
                elif not is_text(value.path):
                    refused.add(value.path)
        if refused:
            log.warning("left out %d series whose names are no text, as %a", len(refused), min(refused)[:200])
        return list(found.values()), len(refused)

    def _compare_clocks(self, now: float, known: Polled) -> dict[str, Clock]:
        """How far collectors are ahead. Where the store cannot be asked, what is known stays as it is."""
        settings = self._settings
        try:
            bounds = (settings.poll_window_s, settings.graphite_timeout_s, _CLOCKS_MAX_BYTES)
            body, date_s = self._fetch(CLOCK_TARGETS, now, *bounds, look_ahead_s=LOOK_AHEAD_S)
            series = [one for one in parse_series(body, settings.graphite_url) if group_of(one.target)]
        except GraphiteFault as fault:
            log.warning("collectors' clocks cannot be compared: %s", fault)
            return dict(known.clocks)
        arrivals = read_arrivals(settings.state_dir)
        return observe_all(known.clocks, series if date_s else (), date_s or 0.0, arrivals)
