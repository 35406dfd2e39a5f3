"""Graphite's render interface, which VictoriaMetrics speaks too: fetch (the edge) and parse_series (pure).

An answer is not trusted: it may be slow, endless, cut off, HTML, or JSON of another shape. Every fault
becomes a GraphiteFault whose message names the server and what it did.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from email.utils import parsedate_to_datetime
from json.decoder import JSONDecoder
from typing import Any, NamedTuple

import requests
import urllib3

from cloud_monitor.exchange import ExchangeDeadline, post
from cloud_monitor.system.text import one_line
from webapp.graphite.steps import Series, SeriesPoint

_CHUNK_BYTES = 256 * 1024
_BLANK = " \t\r\n"
_TIMESTAMP_MAX = 253_402_128_000  # the year 9999, in every zone: what can be written as a date


class GraphiteFault(Exception):
    """Graphite could not be asked, or its answer could not be used."""


class RenderBody(NamedTuple):
    body: bytes
    date_s: float | None  # the server's time as it answered, epoch seconds; None where it does not tell


def fetch(
    url: str,
    targets: Sequence[str],
    from_s: int,
    until_s: int,
    *,
    timeout_s: float,
    bytes_max: int,
    drop_nulls: bool = False,
    look_ahead_s: int = 0,
    is_wanted: Callable[[], bool] = lambda: True,
) -> RenderBody:
    """Ask /render for `targets` between two epoch seconds and return the JSON as it came.

    The whole exchange takes at most `timeout_s`, however slowly the server drips. `drop_nulls` leaves gaps
    out. Once `is_wanted` says no the answer is read to its end but not kept. With `look_ahead_s` points show
    that lie so far in the server's future, which it hides otherwise.
    """
    ends_at_s = time.monotonic() + timeout_s
    parameters: list[tuple[str, str]] = [("target", target) for target in targets]
    parameters += [("from", str(from_s)), ("until", str(until_s + look_ahead_s)), ("format", "json")]
    if look_ahead_s:
        parameters += [("now", str(until_s + look_ahead_s))]
    if drop_nulls:
        parameters.append(("noNullPoints", "true"))
    try:
        # POST: a long list of targets does not fit the request line that servers accept
        with post(f"{url}/render", parameters, timeout_s) as (answer, deadline):
            if answer.status_code == 404 and "html" not in answer.headers.get("Content-Type", ""):
                # carbonapi and go-carbon say so of a glob that matches nothing; a page is another server's
                return RenderBody(b"[]", _date_s(answer.headers.get("Date")))
            if answer.status_code != 200:
                reason = one_line(answer.reason or "", 200)
                raise GraphiteFault(f"{url} answered {answer.status_code} {reason}")
            try:
                body = _read(answer.raw, url, deadline, bytes_max, is_wanted)
                return RenderBody(body, _date_s(answer.headers.get("Date")))
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                if deadline.expired or isinstance(error, urllib3.exceptions.TimeoutError):
                    raise GraphiteFault(f"{url} did not finish its answer within {timeout_s:g} s") from None
                raise GraphiteFault(f"{url} broke off its answer: {_cause(error)}") from None
    except requests.Timeout:
        raise GraphiteFault(f"{url} did not answer within {timeout_s:g} s") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        if time.monotonic() >= ends_at_s:
            raise GraphiteFault(f"{url} did not answer within {timeout_s:g} s") from None
        raise GraphiteFault(f"{url} cannot be reached: {_cause(error)}") from None


def parse_series(body: bytes, url: str) -> Iterator[Series]:
    """Read render JSON one series at a time, so that a large answer never exists as objects all at once.

    A series of the wrong shape is refused with the whole answer: half a truth would be shown as the whole.
    NaN, infinities and null are gaps.
    """
    try:
        text = body.decode()
        decode = JSONDecoder().raw_decode
        at = _skip(text, 0)
        if text[at : at + 1] != "[":
            raise GraphiteFault(f"{url} answered {_describe(text)} where JSON series were expected")
        at = _skip(text, at + 1)
        while text[at : at + 1] != "]":
            raw, at = decode(text, at)
            yield _series(raw, url)
            at = _skip(text, at)
            if text[at : at + 1] == ",":
                at = _skip(text, at + 1)
            elif text[at : at + 1] != "]":
                raise GraphiteFault(f"{url} answered JSON that is cut off or broken at character {at}")
    except UnicodeDecodeError:
        raise GraphiteFault(f"{url} answered bytes that are not UTF-8 text") from None
    except (ValueError, RecursionError) as error:  # ValueError too: a number of thousands of digits
        raise GraphiteFault(f"{url} answered JSON that is cut off or broken: {str(error)[:100]}") from None


def _read(
    raw: Any, url: str, deadline: ExchangeDeadline, bytes_max: int, is_wanted: Callable[[], bool]
) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := raw.read1(_CHUNK_BYTES, decode_content=True):
        size += len(chunk)
        chunks.append(chunk)
        if not is_wanted():
            chunks.clear()
        if size > bytes_max:
            raise GraphiteFault(f"{url} answered more than {bytes_max // 2**20} MiB")
        if deadline.expired:
            raise TimeoutError
    if deadline.expired:  # the end may be the deadline's own doing
        raise TimeoutError
    return b"".join(chunks)


def _date_s(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, TypeError, OverflowError):
        return None


def _series(raw: Any, url: str) -> Series:
    if not isinstance(raw, dict):
        raise GraphiteFault(f"{url} answered a series that is {type(raw).__name__}, not an object")
    target, points = raw.get("target"), raw.get("datapoints")
    if not isinstance(target, str) or not isinstance(points, list):
        raise GraphiteFault(f"{url} answered a series without target or datapoints")
    try:
        return Series(target, [_point(value, timestamp) for value, timestamp in points])
    except (TypeError, ValueError):
        raise GraphiteFault(
            f"{url} answered datapoints of {target[:200]!r} that are not [value, timestamp]"
        ) from None


def _point(value: object, timestamp: object) -> SeriesPoint:
    if type(timestamp) is not int or not 0 <= timestamp <= _TIMESTAMP_MAX:
        raise TypeError
    if value is None:
        return SeriesPoint(timestamp, None)
    if type(value) is not float:
        if type(value) is not int:
            raise TypeError
        try:
            value = float(value)
        except OverflowError:
            return SeriesPoint(timestamp, None)
    return SeriesPoint(timestamp, value if math.isfinite(value) else None)


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _BLANK:
        at += 1
    return at


def _describe(text: str) -> str:
    start = text.lstrip()[:200]
    if not start:
        return "nothing"
    if start.startswith("<"):
        return "HTML"
    return f"{json.dumps(start[:40])}"


def _cause(error: BaseException) -> str:
    """The innermost reason of a chain of exceptions, which is the one a person can act on."""
    seen: BaseException = error
    while True:
        inner = seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)
        if not isinstance(inner, BaseException) or inner is seen:
            return one_line(str(seen) or type(seen).__name__, 200)
        seen = inner
