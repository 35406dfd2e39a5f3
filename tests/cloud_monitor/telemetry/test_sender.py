"""Sending what is spooled, to ends that take it, take a part, refuse it, or hold it."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_monitor.telemetry.sender import POST_S, PostStatus, TelemetrySender, judge_answer, post_telemetry
from cloud_monitor.telemetry.spool import TelemetrySpool
from tests.services.ingestion import Ingestion, ingestion
from tests.services.receivers import silent_listener
from tests.services.support import in_time, wait_until

BODY = gzip.compress(json.dumps([{"n": 0}, {"n": 1}, {"n": 2}]).encode())


@pytest.fixture
def server() -> Iterator[Ingestion]:
    with ingestion() as server:
        yield server


@pytest.fixture
def spool(tmp_path: Path) -> TelemetrySpool:
    return TelemetrySpool(tmp_path / "telemetry", 1_000_000)


def sender_to(server: Ingestion, spool: TelemetrySpool) -> TelemetrySender:
    return TelemetrySender(spool, {"azure": f"{server.url}/v2.1/track"}, {"azure": {"X-Token": "t"}})


def test_what_is_taken_goes_from_the_disk(server: Ingestion, spool: TelemetrySpool) -> None:
    sender = sender_to(server, spool)
    for number in range(3):
        spool.put("azure", json.dumps([{"n": number}]).encode())
    spool.put("otlp-traces", b"for somebody else")
    sender.wake()
    wait_until(lambda: len(server.envelopes) == 3, "three envelopes")
    sender.stop(time.monotonic() + 5)
    assert [one["n"] for one in server.envelopes] == [0, 1, 2]
    assert [file.kind for file in spool.files()] == ["otlp-traces"]
    assert server.headers[0]["X-Token"] == "t"


def test_what_is_refused_for_now_stays_and_is_sent_when_it_is_taken(
    server: Ingestion, spool: TelemetrySpool
) -> None:
    sender = sender_to(server, spool)
    server.status = 503
    spool.put("azure", b'[{"n": 1}]')
    sender.wake()
    wait_until(lambda: server.headers, "a try")
    assert len(spool.files()) == 1
    server.status = 200
    wait_until(lambda: server.envelopes, "another try")
    sender.stop(time.monotonic() + 5)
    assert server.envelopes == [{"n": 1}]
    assert spool.files() == []


def test_a_target_that_is_away_holds_back_nothing_of_the_other(
    server: Ingestion, spool: TelemetrySpool
) -> None:
    with ingestion() as away:
        away.status = 503
        urls = {"azure": f"{away.url}/v2.1/track", "otlp-traces": f"{server.url}/v1/traces"}
        sender = TelemetrySender(spool, urls, {})
        for number in range(3):
            spool.put("azure", b'[{"n": %d}]' % number)
            spool.put("otlp-traces", b"%d" % number)
        sender.wake()
        wait_until(lambda: len(server.otlp) == 3, "what goes to the other")
        assert [body for _, body in server.otlp] == [b"0", b"1", b"2"]
        wait_until(lambda: {file.kind for file in spool.files()} == {"azure"}, "what is taken to go")
        sender.stop(time.monotonic() + 0.5)
    assert [one for one in spool.files() if one.kind == "azure"]


def test_an_end_that_drips_is_left_in_time(server: Ingestion) -> None:
    server.drip = True
    started_s = time.monotonic()
    outcome = post_telemetry(server.url, "azure", BODY, {}, 1.0)
    assert outcome.status is PostStatus.KEPT
    assert in_time(time.monotonic() - started_s, 3)


def test_stopping_waits_for_no_silent_end(spool: TelemetrySpool) -> None:
    with silent_listener() as port:
        sender = TelemetrySender(spool, {"azure": f"http://127.0.0.1:{port}/"}, {})
        spool.put("azure", b"[]")
        sender.wake()
        time.sleep(0.3)
        started_s = time.monotonic()
        sender.stop(started_s + 0.5)
        assert time.monotonic() - started_s < POST_S / 2
    assert len(spool.files()) == 1


def test_of_a_body_taken_in_part_the_rest_is_sent_again() -> None:
    answer = {"errors": [{"index": 0, "statusCode": 400}, {"index": 2, "statusCode": 429}]}
    outcome = judge_answer(206, {"Retry-After": "7"}, json.dumps(answer).encode(), "azure", BODY)
    assert (outcome.status, outcome.retry_after_s) == (PostStatus.KEPT, 7)
    assert json.loads(outcome.rest or b"") == [{"n": 2}]
    only_bad = json.dumps({"errors": [{"index": 0, "statusCode": 400}]}).encode()
    for answer_text in (only_bad, b"<html>", b'{"errors": [{"index": 9, "statusCode": 429}]}'):
        assert judge_answer(206, {}, answer_text, "azure", BODY) == (
            PostStatus.TAKEN,
            "took a part",
            0.0,
            None,
        )


@pytest.mark.parametrize(
    ("status", "found"),
    [
        *((status, PostStatus.TAKEN) for status in (200, 202)),
        *((status, PostStatus.REFUSED) for status in (400, 413)),
        *((status, PostStatus.KEPT) for status in (401, 404, 429, 500, 308)),
    ],
)
def test_an_answer_decides_what_becomes_of_it(status: int, found: PostStatus) -> None:
    assert judge_answer(status, {}, b"", "azure", BODY).status is found


def test_a_rest_is_spooled_once_more(server: Ingestion, spool: TelemetrySpool) -> None:
    sender = sender_to(server, spool)
    server.status, server.answer = 206, {"errors": [{"index": 1, "statusCode": 503}]}
    spool.put("azure", gzip.decompress(BODY))
    sender.wake()
    wait_until(lambda: len(server.envelopes) == 3, "the first try")
    wait_until(
        lambda: [gzip.decompress(one.path.read_bytes()) for one in spool.files()] == [b'[{"n": 1}]'], "rest"
    )
    server.status, server.answer = 200, {}
    wait_until(lambda: spool.files() == [], "the rest to be taken")
    sender.stop(time.monotonic() + 5)
    assert server.envelopes[3:] == [{"n": 1}]
