"""Alertmanagers as a destination: causes only, renewed each minute; their silences are read and honoured.

Whoever was told hears of the end: what fires and was told is posted until it is over. An alert is posted with
an end a few minutes ahead, so that one which is not renewed, as the page has died, ends there by itself.
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cloud_monitor.system.text import one_line
from webapp.alerts.model import Alert, AlertKey, Silence, StepResult
from webapp.alerts.rules.rules import AlertSettings
from webapp.alerts.sending.message import shown_place
from webapp.alerts.store import open_store

log = logging.getLogger(__name__)

NAME = "alertmanager"  # how their silences are kept, and how a channel's name begins
LASTS_S = 300.0  # without a renewal
CLOCKS_S = (
    30.0  # an end that lies ahead of its clock is ignored by an Alertmanager: so much theirs may be behind
)
CONNECT_S, READ_S = 3.0, 5.0
ANSWER_MAX_BYTES = 4 * 2**20
_TEXT_MAX = 300
_SILENCES_MAX = 1000
_SLOW = re.compile(r"\)[*+{]")  # a repeated group, which may take for ever where it does not match


def channel_name(url: str) -> str:
    """How one of them is called among the channels."""
    return f"{NAME} {urlsplit(url).netloc}"


def labels_of(key: AlertKey, settings: AlertSettings) -> dict[str, str]:
    """What makes an alert the same one there, and what silences are matched with."""
    rule = settings.rules.get(key.rule)
    names = [unquote(name, errors="replace") for name in key.place.split("/")]
    labels = {
        "alertname": (rule.prometheus if rule is not None else "") or key.rule,
        "rule": key.rule,
        "grid": names[0],
        "place": shown_place(key.place),
        "severity": rule.severity if rule is not None else "info",
    }
    return {name: one_line(value, _TEXT_MAX) for name, value in labels.items() if value}


def posts_of(result: StepResult, settings: AlertSettings, now: float) -> list[dict[str, Any]]:
    """What POST /api/v2/alerts takes: what was told and fires, and once what has just ended."""
    told = [one for one in result.known.alerts.values() if one.state == "firing" and one.told_at is not None]
    ended = [one for one in result.ended if one.told_at is not None]
    return [
        *(_post(one, settings, now + LASTS_S) for one in told),
        *(_post(one, settings, min(one.clear_since or now, now - CLOCKS_S)) for one in ended),
    ]


def _post(alert: Alert, settings: AlertSettings, ends_at: float) -> dict[str, Any]:
    text = {"summary": one_line(alert.text, _TEXT_MAX), "id": alert.id}
    found = {
        "labels": labels_of(alert.key, settings),
        "annotations": {name: value for name, value in text.items() if value},
        "startsAt": _time_text(min(alert.since, ends_at)),
        "endsAt": _time_text(ends_at),
    }
    if settings.base_url:
        found["generatorURL"] = f"{settings.base_url.rstrip('/')}/alerts/{alert.id}"
    return found


def _time_text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def silences_on(
    kept: Sequence[Mapping[str, Any]], keys: Iterable[AlertKey], settings: AlertSettings
) -> Iterator[Silence]:
    """Of the silences as `read_silences` gives them those that match these alerts, one for each."""
    for key in keys:
        labels = labels_of(key, settings)
        for one in kept:
            if all(_matches(matcher, labels) for matcher in one["matchers"]):
                by = f"{one['by']} in Alertmanager"
                yield Silence(key.rule, key.place, one["starts_at"], one["ends_at"], by, one["comment"])
                break


def _matches(matcher: Sequence[Any], labels: Mapping[str, str]) -> bool:
    """As Alertmanager does it: a label that is not there is empty, an expression holds for the whole."""
    name, value, is_regex, is_equal = matcher
    own = labels.get(name, "")
    if is_regex and _SLOW.search(value):
        return False
    try:
        found = re.fullmatch(value, own) is not None if is_regex else own == value
    except (re.error, RecursionError):  # of another dialect
        return False
    return found is bool(is_equal)


def parse_silences(body: bytes) -> list[dict[str, Any]]:
    """Those of GET /api/v2/silences that are on, as they are kept. Raises ValueError."""
    found = []
    try:
        for one in json.loads(body):
            if one["status"]["state"] != "active":
                continue
            matchers = [
                [str(m["name"]), str(m["value"]), bool(m["isRegex"]), bool(m.get("isEqual", True))]
                for m in one["matchers"]
            ]
            found.append({
                "starts_at": datetime.fromisoformat(one["startsAt"]).timestamp(),
                "ends_at": datetime.fromisoformat(one["endsAt"]).timestamp(),
                "by": one_line(str(one["createdBy"]), 80), "comment": one_line(str(one["comment"]), 200),
                "matchers": matchers,
            })  # fmt: skip
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"no silences of an Alertmanager: {error!r}") from None
    return found[:_SILENCES_MAX]


class AlertmanagerLink:
    """Talks to all of them in a thread, so that a slow one delays nothing."""

    def __init__(self, state_dir: Path, clock: Callable[[], float]) -> None:
        self._state_dir, self._clock = state_dir, clock
        self._thread: threading.Thread | None = None

    def exchange(self, urls: Sequence[str], posts: Sequence[Mapping[str, Any]]) -> None:
        """One round, unless the last one is not over yet."""
        if urls and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._run, args=(urls, posts), name=NAME, daemon=True)
            self._thread.start()

    def _run(self, urls: Sequence[str], posts: Sequence[Mapping[str, Any]]) -> None:
        silences: list[dict[str, Any]] = []
        errors: dict[str, str] = {}
        for url in urls:
            try:
                silences += exchange_with(url, posts)
                errors[url] = ""
            except (OSError, ValueError) as error:
                errors[url] = one_line(str(error), _TEXT_MAX)
        now = self._clock()
        try:
            with open_store(self._state_dir) as store:
                for url, said in errors.items():
                    store.outbox.note_channel(channel_name(url), said, now)
                if not all(errors.values()):
                    store.write_foreign_silences(silences)
        except (OSError, sqlite3.Error) as error:
            log.error("what Alertmanager said cannot be kept: %s", error)


def exchange_with(url: str, posts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Posts the alerts; the silences that are on there. Raises OSError (requests' own too) or ValueError."""
    import requests

    base, timeout = url.rstrip("/") + "/api/v2", (CONNECT_S, READ_S)
    if posts:
        answer = requests.post(f"{base}/alerts", json=list(posts), timeout=timeout)
        if not answer.ok:
            raise ValueError(f"it refuses alerts: {answer.status_code} {answer.text[:200]}")
    with requests.get(f"{base}/silences", timeout=timeout, stream=True) as answer:
        if not answer.ok:
            raise ValueError(f"it gives no silences: {answer.status_code}")
        body = answer.raw.read(ANSWER_MAX_BYTES + 1, decode_content=True)
    if len(body) > ANSWER_MAX_BYTES:
        raise ValueError("its silences are too many")
    return parse_silences(body)
