"""The way of plots and exports to Graphite: few at once, each bounded, so that they never starve the page."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from webapp.errors import RequestRefused
from webapp.graphite.client import GraphiteFault, Series, fetch, parse_series

AT_ONCE = 2
_ANSWER_MAX_BYTES = 64 * 2**20
_RETRY_AFTER_S = 2


class GraphiteGate:
    """Admits AT_ONCE calls in this process; a further one is refused with 503 at once, never queued."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._slots = threading.BoundedSemaphore(AT_ONCE)

    def fetch_series(
        self, expressions: Sequence[str], from_s: int, until_s: int, points_max: int | None = None
    ) -> list[Series]:
        """Ask Graphite for expressions that the caller has built itself or checked.

        Raises RequestRefused: 503 when Graphite is busy with others' plots, 502 when it cannot be used.
        """
        if not self._slots.acquire(blocking=False):
            raise RequestRefused(
                503,
                "busy",
                f"{AT_ONCE} plots are being read from Graphite; try again shortly",
                _RETRY_AFTER_S,
            )
        try:
            body = fetch(
                self._url,
                expressions,
                from_s,
                until_s,
                timeout_s=self._timeout_s,
                bytes_max=_ANSWER_MAX_BYTES,
                points_max=points_max,
            )
            return list(parse_series(body, self._url))
        except GraphiteFault as fault:
            raise RequestRefused(502, "graphite_failed", str(fault), _RETRY_AFTER_S) from None
        finally:
            self._slots.release()
