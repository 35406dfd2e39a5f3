"""Brings what is spooled to where it goes, in a thread that nobody waits for; what is not taken stays.

An exchange ends by its deadline, however the other end behaves; after a failure the next waits ever longer.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import threading
import time
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

import requests
import urllib3

from cloud_monitor.exchange import post
from cloud_monitor.telemetry.redact import redact_text
from cloud_monitor.telemetry.spool import SpooledFile, TelemetrySpool

log = logging.getLogger(__name__)

POST_S = 5.0
ROUND_S = 1.0
TURN_S = 0.05  # until another process is asked again whether it has sent all
BACKOFF_FIRST_S, BACKOFF_MOST_S, RETRY_AFTER_MOST_S = 2.0, 300.0, 3600.0
_ANSWER_BYTES_MAX = 1 << 20
_REFUSED_FOR_GOOD = frozenset({400, 411, 413, 414, 415, 422})
_TAKEN_LATER = frozenset({206, 401, 403, 408, 429, 439, 500, 502, 503, 504})  # of single items


class Fate(Enum):
    TAKEN = "taken"
    KEPT = "kept"  # to be sent again later
    REFUSED = "refused"


class PostOutcome(NamedTuple):
    fate: Fate
    text: str = ""
    retry_after_s: float = 0.0
    rest: bytes | None = None  # what of the body is to be sent again


class TelemetrySender:
    """`urls` and `headers` by the kind of what is spooled; other kinds stay until they are too old."""

    def __init__(
        self, spool: TelemetrySpool, urls: Mapping[str, str], headers: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._spool = spool
        self._urls = urls
        self._headers = headers
        self._wake = threading.Event()
        self._stop_at_s: float | None = None
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()
        self._backoff_s = 0.0
        self._not_before_s = 0.0
        self._told: str | None = None

    def wake(self) -> None:
        """Something is spooled. The thread is started here, so that it belongs to the process that writes."""
        with self._start:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
                self._thread.start()
        self._wake.set()

    def stop(self, deadline_s: float) -> None:
        """Send what waits until then (monotonic), unless the last try failed; returns by then."""
        self._stop_at_s = deadline_s
        self._wake.set()
        if self._thread is not None:
            self._thread.join(max(0.0, deadline_s - time.monotonic()))

    def _run(self) -> None:
        waits = True
        while True:
            if self._stop_at_s is None:
                self._wake.wait(ROUND_S if waits else None)
                self._wake.clear()
            stopping = self._stop_at_s is not None
            try:
                waits = self._send_round()
            except OSError as error:
                self._tell(f"telemetry waits: {self._spool.folder}: {error.strerror}")
            except Exception:
                log.exception("telemetry could not be sent")
                self._put_off(0.0)
            if stopping and not (waits and self._may_go_on()):
                return

    def _may_go_on(self) -> bool:
        """At the end: whether there is time for the files that another process is sending just now."""
        time.sleep(TURN_S)
        now_s = time.monotonic()
        return self._stop_at_s is not None and max(now_s, self._not_before_s) < self._stop_at_s

    def _send_round(self) -> bool:
        """Send all there is, one file at a time; whether something is left."""
        if time.monotonic() < self._not_before_s:
            return True
        files = [file for file in self._spool.files() if file.kind in self._urls]
        if not files:
            return False
        with self._spool.turn() as is_ours:
            if not is_ours:
                return True
            for file in files:
                left_s = POST_S if self._stop_at_s is None else self._stop_at_s - time.monotonic()
                if left_s <= 0 or not self._send(file, min(POST_S, left_s)):
                    return True
        return False

    def _send(self, file: SpooledFile, timeout_s: float) -> bool:
        """Whether the next may be sent."""
        try:
            body = file.path.read_bytes()
        except FileNotFoundError:
            return True
        url = self._urls[file.kind]
        outcome = post_telemetry(url, file.kind, body, self._headers.get(file.kind, {}), timeout_s)
        if outcome.fate is Fate.KEPT and outcome.rest is None:
            self._tell(f"telemetry waits, {url} {outcome.text}")
            self._put_off(outcome.retry_after_s)
            return False
        if outcome.rest is not None:
            self._spool.put(file.kind, outcome.rest)
            self._put_off(outcome.retry_after_s)
        file.path.unlink(missing_ok=True)
        if outcome.fate is Fate.REFUSED:
            self._tell(f"telemetry is lost, {url} {outcome.text}")
        elif outcome.rest is None:
            self._backoff_s = 0.0
            if self._told is not None:
                log.warning("telemetry is taken again")
                self._told = None
        return outcome.rest is None

    def _put_off(self, retry_after_s: float) -> None:
        self._backoff_s = min(BACKOFF_MOST_S, 2 * self._backoff_s or BACKOFF_FIRST_S)
        wait_s = max(self._backoff_s, min(retry_after_s, RETRY_AFTER_MOST_S))
        self._not_before_s = time.monotonic() + wait_s

    def _tell(self, text: str) -> None:
        """Once, until something else is to be told."""
        if text != self._told:
            self._told = text
            log.warning("%s", text)


def post_telemetry(
    url: str, kind: str, body: bytes, headers: Mapping[str, str], timeout_s: float
) -> PostOutcome:
    """Post a gzipped body; ends by `timeout_s`, and raises nothing that the other end can cause."""
    content = "application/json" if kind == "azure" else "application/x-protobuf"
    headers = {"Content-Type": content, "Content-Encoding": "gzip", "Connection": "close", **headers}
    try:
        with post(url, body, timeout_s, headers) as (answer, deadline):
            text = answer.raw.read(_ANSWER_BYTES_MAX, decode_content=True)
            if deadline.expired:
                return PostOutcome(Fate.KEPT, f"did not answer within {timeout_s:.1f} s")
            return judge_answer(answer.status_code, answer.headers, text, kind, body)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return PostOutcome(Fate.KEPT, f"cannot be reached: {type(error).__name__}")


def judge_answer(status: int, headers: Mapping[str, str], text: bytes, kind: str, body: bytes) -> PostOutcome:
    """Pure: what became of a body by the answer to it."""
    retry_after = headers.get("Retry-After", "")
    retry_after_s = float(retry_after) if retry_after.isdigit() else 0.0
    if status == 206 and kind == "azure":
        rest = rest_of(body, text)
        return PostOutcome(Fate.KEPT if rest else Fate.TAKEN, "took a part", retry_after_s, rest)
    if 200 <= status < 300:
        return PostOutcome(Fate.TAKEN)
    told = f"answered {status}"
    if moved := headers.get("Location", ""):
        told = f"{told}: it is at {redact_text(moved[:200])!r} now, which belongs in the settings"
    if status in _REFUSED_FOR_GOOD:
        return PostOutcome(Fate.REFUSED, f"{told}: {redact_text(text[:200].decode(errors='replace'))!r}")
    return PostOutcome(Fate.KEPT, told, retry_after_s)


def rest_of(body: bytes, answer: bytes) -> bytes | None:
    """Of a body that Application Insights took in part: the items that it may take later, as JSON."""
    rest: list[Any] = []
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError, AttributeError, OSError, EOFError):
        items = json.loads(gzip.decompress(body))
        for error in json.loads(answer)["errors"]:
            if error["statusCode"] in _TAKEN_LATER:
                rest.append(items[error["index"]])
    return json.dumps(rest).encode() if rest else None
