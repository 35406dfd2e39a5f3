"""Annotations as events of a Graphite, where Grafana draws them: what began or ended and was not sent yet.

At least once: one whose answer was lost is sent again with the next poll.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path

from webapp.annotations.model import Annotation
from webapp.annotations.store import open_annotations

log = logging.getLogger(__name__)

AT_ONCE = 50
YOUNGER_THAN_S = 86400.0  # what was noted long before this was switched on stays out of it
_TIMEOUT_S = 5.0


class Mirror:
    """Sends in a thread of its own, one at a time, so that a slow Graphite delays no poll."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def start(self, state_dir: Path, url: str) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=mirror, args=(state_dir, url), name="mirror", daemon=True)
            self._thread.start()


def mirror(state_dir: Path, url: str) -> int:
    """Send what is due; how many Graphite has taken. A fault is logged, and ends it until the next time."""
    import requests

    begun: list[int] = []
    ended: list[int] = []
    try:
        now = time.time()
        with open_annotations(state_dir) as store:
            due = [(event_of(one), one.number, begun)
                   for one in store.find_unmirrored(now - YOUNGER_THAN_S, AT_ONCE)]  # fmt: skip
            due += [(end_of(one), one.number, ended)
                    for one in store.find_unmirrored_ends(now - YOUNGER_THAN_S, now, AT_ONCE)]  # fmt: skip
        for event, number, sent in due:
            answer = requests.post(f"{url.rstrip('/')}/events/", json=event, timeout=_TIMEOUT_S)
            if not answer.ok:
                log.warning("WEBAPP_GRAPHITE_EVENTS_URL: /events/ answers %d", answer.status_code)
                break
            sent.append(number)
    except requests.RequestException as error:
        log.warning("WEBAPP_GRAPHITE_EVENTS_URL cannot be reached: %s", type(error).__name__)
    except (OSError, sqlite3.Error) as error:
        log.error("annotations cannot be mirrored: %s", error)
    try:
        if begun or ended:
            with open_annotations(state_dir) as store:
                store.note_mirrored(begun, ended)
    except (OSError, sqlite3.Error) as error:
        log.error("annotations that were mirrored are sent again: %s", error)
    return len(begun) + len(ended)


def event_of(one: Annotation) -> dict[str, object]:
    """As graphite-web takes it; tags by which Grafana finds it."""
    tags = ["cloud-monitor", one.kind, *one.tags]
    if one.grid:
        tags.append(f"grid-{one.grid}")
    words = [tag.replace(" ", "_") for tag in tags]
    return {"what": one.text, "tags": words, "when": int(one.at), "data": one.by}


def end_of(one: Annotation) -> dict[str, object]:
    """An event of Graphite has no length: the end of what took a time is one of its own."""
    event = event_of(replace(one, tags=(*one.tags, "over")))
    return {**event, "what": f"over: {one.text}", "when": int(one.until or one.at)}
