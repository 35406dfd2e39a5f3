"""Graphite's render interface, which VictoriaMetrics speaks too: fetch (the edge) and parse_series (pure).

An answer is not trusted: it may be slow, endless, cut off, HTML, or JSON of another shape. Every fault
becomes a GraphiteFault whose message names the server and what it did.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from json.decoder import JSONDecodeError, JSONDecoder
from typing import Any, NamedTuple

import requests
import urllib3

_CHUNK_BYTES = 256 * 1024
_BLANK = " \t\r\n"


class GraphiteFault(Exception):
    """Graphite could not be asked, or its answer could not be used."""


class SeriesPoint(NamedTuple):
    """A point of a series; value None is a gap. Render JSON has them the other way round."""

    timestamp: int
    value: float | None


class Series(NamedTuple):
    target: str
    points: list[SeriesPoint]


def fetch(
    url: str,
    targets: Sequence[str],
    from_s: int,
    until_s: int,
    *,
    timeout_s: float,
    bytes_max: int,
    points_max: int | None = None,
    drop_nulls: bool = False,
) -> bytes:
    """Ask /render for `targets` between two epoch seconds and return the JSON as it came.

    The whole exchange takes at most `timeout_s`, however slowly the server drips. `points_max` asks Graphite
    to average each series down to so many points; `drop_nulls` to leave gaps out.
    """
    parameters: list[tuple[str, str]] = [("target", target) for target in targets]
    parameters += [("from", str(from_s)), ("until", str(until_s)), ("format", "json")]
    if points_max is not None:
        parameters.append(("maxDataPoints", str(points_max)))
    if drop_nulls:
        parameters.append(("noNullPoints", "true"))
    deadline = time.monotonic() + timeout_s
    try:
        # POST: a long list of targets does not fit the request line that servers accept
        with requests.post(
            f"{url}/render", data=parameters, timeout=timeout_s, stream=True, allow_redirects=False
        ) as answer:
            if answer.status_code != 200:
                raise GraphiteFault(f"{url} answered {answer.status_code} {answer.reason}")
            return _read(answer.raw, url, deadline, timeout_s, bytes_max)
    except requests.Timeout:
        raise GraphiteFault(f"{url} did not answer within {timeout_s:g} s") from None
    except requests.ConnectionError as error:
        raise GraphiteFault(f"{url} cannot be reached: {_cause(error)}") from None
    except requests.RequestException as error:
        raise GraphiteFault(f"{url}: {type(error).__name__}: {str(error)[:200]}") from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise GraphiteFault(f"{url} broke off its answer: {_cause(error)}") from None


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
    except (JSONDecodeError, RecursionError) as error:
        raise GraphiteFault(f"{url} answered JSON that is cut off or broken: {str(error)[:100]}") from None


def _read(raw: Any, url: str, deadline: float, timeout_s: float, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := raw.read1(_CHUNK_BYTES, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > bytes_max:
            raise GraphiteFault(f"{url} answered more than {bytes_max // 2**20} MiB")
        if time.monotonic() > deadline:
            raise GraphiteFault(f"{url} did not finish its answer within {timeout_s:g} s")
    return b"".join(chunks)


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
    if type(timestamp) is not int:
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
            return (str(seen) or type(seen).__name__)[:200]
        seen = inner
