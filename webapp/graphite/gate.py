"""The way of plots and exports to Graphite: few at once, each bounded, so that they never starve the poll."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from cloud_monitor.system.locks import FileLock, take_any
from webapp.errors import RequestRefused
from webapp.graphite.client import GraphiteFault, fetch, parse_series
from webapp.graphite.steps import Series

AT_ONCE = 2
LINGER_MAX_S = 300.0  # a query that nobody waits for any more still costs Graphite its work until it answers
_WAIT_S = 1.0
_WAITING_MAX = 2  # in a process: whoever waits takes one of its threads from the page
_LOOK_EVERY_S = 0.05
_ANSWER_MAX_BYTES = 4 * 2**20  # pieces are a tenth of it; decoded it is 20 MB, and a page may have 80
_RETRY_AFTER_S = 2


class GraphiteGate:
    """Admits AT_ONCE queries of all processes that share `state_dir`; others get a 503 after a moment.

    A query keeps its place until Graphite's answer has ended, or LINGER_MAX_S, also when its visitor was told
    long ago that it takes too long: Graphite goes on computing, and must not be given more meanwhile.
    """

    def __init__(self, url: str, timeout_s: float, state_dir: Path) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._state_dir = state_dir
        self._waiting = threading.BoundedSemaphore(_WAITING_MAX)

    def fetch_series(
        self, expressions: Sequence[str], from_s: int, until_s: int, *, drop_nulls: bool = False
    ) -> list[Series]:
        """Ask Graphite for expressions that the caller has built itself or checked.

        Raises RequestRefused: 503 when Graphite is busy with others' plots, 502 when it cannot be used.
        """
        try:
            place = self._take_place()
        except OSError as error:
            raise RequestRefused(
                503, "state_folder", f"state folder {self._state_dir}: {error.strerror or error}"
            ) from None
        if place is None:
            raise RequestRefused(
                503,
                "busy",
                f"{AT_ONCE} plots are being read from Graphite; try again shortly",
                _RETRY_AFTER_S,
            )
        query = _Query(place, self._url, expressions, from_s, until_s, drop_nulls)
        try:
            return list(parse_series(query.result(self._timeout_s), self._url))
        except GraphiteFault as fault:
            raise RequestRefused(502, "graphite_failed", str(fault), _RETRY_AFTER_S) from None

    def _take_place(self) -> FileLock | None:
        place = self._find_place()
        if place is None and self._waiting.acquire(blocking=False):
            try:
                until = time.monotonic() + _WAIT_S
                while place is None and time.monotonic() < until:
                    time.sleep(_LOOK_EVERY_S)
                    place = self._find_place()
            finally:
                self._waiting.release()
        return place

    def _find_place(self) -> FileLock | None:
        """Whoever releases it, be it by its death, gives the place back."""
        return take_any(self._state_dir / f"plot-{number}.lock" for number in range(AT_ONCE))


class _Query:
    """A query in a thread of its own, which owns the place and outlives whoever waits for the answer."""

    def __init__(
        self,
        place: FileLock,
        url: str,
        expressions: Sequence[str],
        from_s: int,
        until_s: int,
        drop_nulls: bool,
    ) -> None:
        self._url = url
        self._body = b""
        self._fault: GraphiteFault | None = None
        self._is_wanted = True
        self._done = threading.Event()

        def ask() -> None:
            try:
                self._body = fetch(
                    url,
                    expressions,
                    from_s,
                    until_s,
                    timeout_s=LINGER_MAX_S,
                    bytes_max=_ANSWER_MAX_BYTES,
                    drop_nulls=drop_nulls,
                    is_wanted=lambda: self._is_wanted,
                ).body
            except GraphiteFault as fault:
                self._fault = fault
            finally:
                self._done.set()
                place.release()

        thread = threading.Thread(target=ask, name="plot", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads
            place.release()
            raise

    def result(self, timeout_s: float) -> bytes:
        """Raises GraphiteFault as fetch does."""
        if not self._done.wait(timeout_s):
            self._is_wanted = False
            raise GraphiteFault(f"{self._url} did not finish its answer within {timeout_s:g} s")
        if self._fault is not None:
            raise self._fault
        return self._body
