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


class PostStatus(Enum):
    TAKEN = "taken"
    KEPT = "kept"  # to be sent again later
    REFUSED = "refused"


class PostOutcome(NamedTuple):
    status: PostStatus
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
        # By target, since one that is away must not keep the other's waiting
        self._backoff_s: dict[str, float] = {}
        self._not_before_s = dict.fromkeys(map(target_of, urls), 0.0)
        self._told: dict[str, str] = {}

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
        next_s: float | None = 0.0
        while True:
            if self._stop_at_s is None:
                self._wake.wait(None if next_s is None else max(ROUND_S, next_s - time.monotonic()))
                self._wake.clear()
            stopping = self._stop_at_s is not None
            try:
                next_s = self._send_round()
            except OSError as error:
                self._tell("", f"telemetry waits: {self._spool.folder}: {error.strerror}")
            except Exception:
                log.exception("telemetry could not be sent")
                for target in self._not_before_s:
                    self._put_off(target, 0.0)
            if stopping and not (next_s is not None and self._may_go_on(next_s)):
                return

    def _may_go_on(self, next_s: float) -> bool:
        """At the end: whether there is time for the files that another process is sending just now."""
        time.sleep(TURN_S)
        return self._stop_at_s is not None and max(time.monotonic(), next_s) < self._stop_at_s

    def _send_round(self) -> float | None:
        """Send all there is, one file at a time; when to go on (monotonic) where something is left."""
        soonest_s = min(self._not_before_s.values(), default=0.0)
        if time.monotonic() < soonest_s:
            return soonest_s
        files = [file for file in self._spool.files() if file.kind in self._urls]
        if not files:
            return None
        left: set[str] = set()
        with self._spool.sending() as is_ours:
            if not is_ours:
                return time.monotonic()
            for file in files:
                left_s = POST_S if self._stop_at_s is None else self._stop_at_s - time.monotonic()
                if left_s <= 0:
                    return time.monotonic()
                target = target_of(file.kind)
                if time.monotonic() >= self._not_before_s[target]:
                    self._send(file, target, min(POST_S, left_s))
                if time.monotonic() < self._not_before_s[target]:
                    left.add(target)
        return min((self._not_before_s[target] for target in left), default=None)

    def _send(self, file: SpooledFile, target: str, timeout_s: float) -> None:
        try:
            body = file.path.read_bytes()
        except FileNotFoundError:
            return
        url = self._urls[file.kind]
        outcome = post_telemetry(url, file.kind, body, self._headers.get(file.kind, {}), timeout_s)
        if outcome.status is PostStatus.KEPT and outcome.rest is None:
            self._tell(target, f"telemetry waits, {url} {outcome.text}")
            self._put_off(target, outcome.retry_after_s)
            return
        if outcome.rest is not None:
            self._spool.put(file.kind, outcome.rest)
            self._put_off(target, outcome.retry_after_s)
        file.path.unlink(missing_ok=True)
        if outcome.status is PostStatus.REFUSED:
            self._tell(target, f"telemetry is lost, {url} {outcome.text}")
        elif outcome.rest is None:
            self._backoff_s.pop(target, None)
            if self._told.pop(target, None) is not None:
                log.warning("telemetry is taken again by %s", url)

    def _put_off(self, target: str, retry_after_s: float) -> None:
        backoff_s = min(BACKOFF_MOST_S, 2 * self._backoff_s.get(target, 0.0) or BACKOFF_FIRST_S)
        self._backoff_s[target] = backoff_s
        wait_s = max(backoff_s, min(retry_after_s, RETRY_AFTER_MOST_S))
        self._not_before_s[target] = time.monotonic() + wait_s

    def _tell(self, target: str, text: str) -> None:
        """Once, until something else is to be told of it."""
        if text != self._told.get(target):
            self._told[target] = text
            log.warning("%s", text)


def target_of(kind: str) -> str:
    """azure or otlp."""
    return kind.partition("-")[0]


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
                return PostOutcome(PostStatus.KEPT, f"did not answer within {timeout_s:.1f} s")
            return judge_answer(answer.status_code, answer.headers, text, kind, body)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return PostOutcome(PostStatus.KEPT, f"cannot be reached: {type(error).__name__}")


def judge_answer(status: int, headers: Mapping[str, str], text: bytes, kind: str, body: bytes) -> PostOutcome:
    """Pure: what became of a body by the answer to it."""
    retry_after = headers.get("Retry-After", "")
    retry_after_s = float(retry_after) if retry_after.isdigit() else 0.0
    if status == 206 and kind == "azure":
        rest = rest_of(body, text)
        return PostOutcome(PostStatus.KEPT if rest else PostStatus.TAKEN, "took a part", retry_after_s, rest)
    if 200 <= status < 300:
        return PostOutcome(PostStatus.TAKEN)
    told = f"answered {status}"
    if moved := headers.get("Location", ""):
        told = f"{told}: it is at {redact_text(moved[:200])!r} now, which belongs in the settings"
    if status in _REFUSED_FOR_GOOD:
        return PostOutcome(
            PostStatus.REFUSED, f"{told}: {redact_text(text[:200].decode(errors='replace'))!r}"
        )
    return PostOutcome(PostStatus.KEPT, told, retry_after_s)


def rest_of(body: bytes, answer: bytes) -> bytes | None:
    """Of a body that Application Insights took in part: the items that it may take later, as JSON."""
    rest: list[Any] = []
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError, AttributeError, OSError, EOFError):
        items = json.loads(gzip.decompress(body))
        for error in json.loads(answer)["errors"]:
            if error["statusCode"] in _TAKEN_LATER:
                rest.append(items[error["index"]])
    return json.dumps(rest).encode() if rest else None
