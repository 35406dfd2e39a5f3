"""What Graphite may answer, and what becomes of it."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.proxy import Mode, run_proxy
from tests.services.raw_http import Send, Stopped, run_raw_server
from tests.services.support import free_port, in_time
from webapp.graphite.client import GraphiteFault, fetch, parse_series
from webapp.graphite.steps import Series, SeriesPoint

URL = "http://graphite.example:8080"


def parse(body: bytes) -> list[Series]:
    return list(parse_series(body, URL))


def test_points_are_named_and_gaps_kept() -> None:
    body = b'[{"target": "a.b", "tags": {"name": "a.b"}, "datapoints": [[1.5, 60], [null, 120], [2, 180]]}]'
    assert parse(body) == [
        Series("a.b", [SeriesPoint(60, 1.5), SeriesPoint(120, None), SeriesPoint(180, 2.0)])
    ]


def test_what_is_no_number_is_a_gap() -> None:
    body = b'[{"target": "a", "datapoints": [[NaN, 60], [Infinity, 120], [-Infinity, 180], [1e999, 240]]}]'
    assert [point.value for point in parse(body)[0].points] == [None] * 4


def test_an_integer_beyond_floats_is_a_gap() -> None:
    body = b'[{"target": "a", "datapoints": [[1' + b"0" * 400 + b", 60]]}]"
    assert parse(body)[0].points == [SeriesPoint(60, None)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "nothing"),
        (b"  \n", "nothing"),
        (b"<html>login</html>", "HTML"),
        (b'{"error": "no"}', "where JSON series were expected"),
        (b"null", "where JSON series were expected"),
        (b'[{"target": "a", "datapoints": [[1, 60]', "cut off"),
        (b'[{"target": "a", "datapoints": []}', "cut off"),
        (b'[{"target": "a", "datapoints": []} {}]', "cut off"),
        (b"[,]", "cut off"),
        (b"[" * 100_000, "cut off"),
        (b"[3]", "not an object"),
        (b'[{"target": 7, "datapoints": []}]', "without target"),
        (b'[{"target": "a", "datapoints": "none"}]', "without target"),
        (b'[{"target": "a", "datapoints": [["1", 60]]}]', "not [value, timestamp]"),
        (b'[{"target": "a", "datapoints": [[true, 60]]}]', "not [value, timestamp]"),
        (b'[{"target": "a", "datapoints": [[1, 60.5]]}]', "not [value, timestamp]"),
        (b'[{"target": "a", "datapoints": [[1, null]]}]', "not [value, timestamp]"),
        (b'[{"target": "a", "datapoints": [1]}]', "not [value, timestamp]"),
        (b'[{"target": "a", "datapoints": [[1, 60, 3]]}]', "not [value, timestamp]"),
        (b'[{"target": "a", "datapoints": [[1, 1' + b"0" * 400 + b"]]}]", "not [value, timestamp]"),
        (b'[{"target": "a", "datapoints": [[1, -60]]}]', "not [value, timestamp]"),
        (b'[{"target": "a", "datapoints": [[1' + b"0" * 5000 + b", 60]]}]", "broken"),
        (b"[\xff]", "UTF-8"),
    ],
)
def test_lies_are_named(body: bytes, said: str) -> None:
    with pytest.raises(GraphiteFault) as caught:
        parse(body)
    assert said in str(caught.value)
    assert URL in str(caught.value)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with suppress(GraphiteFault):
        parse(b"[" + body)


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["target", "datapoints", "x"]), inner, max_size=3)
    ),
)


@given(_json)
def test_no_json_raises_anything_else(value: object) -> None:
    with suppress(GraphiteFault):
        parse(json.dumps([value]).encode())


_values = st.none() | st.floats(allow_nan=False, allow_infinity=False)
_points = st.lists(st.builds(SeriesPoint, st.integers(0, 2**32), _values), max_size=5)


@given(st.lists(st.builds(Series, st.text(max_size=10), _points), max_size=4), st.sampled_from([None, 1]))
def test_what_graphite_writes_is_read(series: list[Series], indent: int | None) -> None:
    raw = [
        {"target": one.target, "datapoints": [[p.value, p.timestamp] for p in one.points]} for one in series
    ]
    assert parse(json.dumps(raw, indent=indent).encode()) == series


def ask(url: str, timeout_s: float = 1.0) -> bytes:
    return fetch(url, ["a"], 0, 60, timeout_s=timeout_s, bytes_max=2**22)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("500", "answered 500"),
        ("redirect", "answered 302"),
        ("silent", "did not answer within 1 s"),
        ("drip", "did not finish its answer within 1 s"),
        ("huge", "answered more than 4 MiB"),
    ],
)
def test_a_bad_server_is_named_in_time(mode: Mode, said: str) -> None:
    with run_proxy() as proxy:
        proxy.mode = mode
        started = time.monotonic()
        with pytest.raises(GraphiteFault) as caught:
            ask(proxy.url)
        assert in_time(time.monotonic() - started, 5)
        assert said in str(caught.value)
        assert proxy.url in str(caught.value)


def test_nobody_there_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(GraphiteFault, match=f"{url} cannot be reached: .*refused"):
        ask(url)


def test_a_server_that_breaks_off_is_named() -> None:
    with run_proxy() as proxy:
        proxy.mode = "pass"  # its upstream refuses, so it closes the connection without an answer
        with pytest.raises(GraphiteFault, match=proxy.url):
            ask(proxy.url)


_OK = b"HTTP/1.1 200 OK\r\n"
_GZIP_NAME = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"  # a header whose file name never ends
_DRIPS = {
    "status line": (b"HTTP/1.1 200 ", b"O"),
    "header": (_OK + b"X-Name: ", b"a"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (_OK + b"Content-Length: 100000\r\n\r\n[", b" "),
    "body without length": (_OK + b"Connection: close\r\n\r\n[]", b" "),
    "gzip header": (_OK + b"Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n" + _GZIP_NAME, b"a"),
    "chunk size": (_OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "chunk extension": (_OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
    "trailer": (_OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Name: ", b"a"),
}


@pytest.mark.parametrize("where", _DRIPS)
def test_the_deadline_covers_the_whole_exchange(where: str) -> None:
    first, drip = _DRIPS[where]

    def answer(send: Send, stopped: Stopped) -> None:
        send(first)
        while not stopped(0.1):
            send(drip)

    with run_raw_server(answer) as url:
        started = time.monotonic()
        with pytest.raises(GraphiteFault, match=f"{url} did not (finish its )?answer within 1 s"):
            ask(url)
        assert in_time(time.monotonic() - started, 3)


def test_a_redirect_is_not_read_to_its_end() -> None:
    sent = 0

    def answer(send: Send, stopped: Stopped) -> None:
        nonlocal sent
        send(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n")
        while not stopped(0):
            send(b" " * 2**20)
            sent += 2**20

    with run_raw_server(answer) as url, pytest.raises(GraphiteFault, match="answered 302 Found"):
        ask(url, timeout_s=10)
    assert sent < 2**26


def test_what_a_server_says_of_itself_is_one_line_of_text() -> None:
    def answer(send: Send, stopped: Stopped) -> None:
        send(b"HTTP/1.1 500 <b>\x1b[31m" + b"x" * 5000 + b"\r\nContent-Length: 0\r\n\r\n")

    with run_raw_server(answer) as url, pytest.raises(GraphiteFault) as caught:
        ask(url)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "application/json"])
def test_a_404_of_a_renderer_is_nothing_and_that_of_a_page_a_fault(kind: str) -> None:
    def server(kind: str) -> AbstractContextManager[str]:
        head = f"HTTP/1.1 404 Not Found\r\nContent-Type: {kind}\r\nContent-Length: 9\r\n\r\n"
        return run_raw_server(lambda send, _: send(head.encode() + b"not found"))

    with server(kind) as url:
        assert ask(url)[0] == b"[]"
    with server("text/html") as url, pytest.raises(GraphiteFault, match="answered 404 Not Found"):
        ask(url)
