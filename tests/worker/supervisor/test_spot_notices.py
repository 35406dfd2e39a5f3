"""EC2's notice to a spot instance: it is the reason to leave; a service without one, or away, is none."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.services.answering import Answer, Request, answering, as_json
from tests.services.support import PATIENCE_S
from worker.supervisor.evictions import (
    EC2_MAKER,
    EC2_URL,
    NOTICE_PATH,
    TOKEN_PATH,
    SpotNotices,
    spot_notice_url,
    watch,
)


class Metadata:
    """Answers as EC2's service: without a token of the session it refuses. `answers` go in turn."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = [*answers]
        self.tokens = ["first", "second"]
        self.token = ""

    def answer(self, request: Request) -> Answer:
        if request.path == TOKEN_PATH:
            assert request.method == "PUT"
            assert int(request.headers["x-aws-ec2-metadata-token-ttl-seconds"]) <= 21_600
            self.token = self.tokens.pop(0)
            return Answer(200, self.token.encode())
        assert request.path == NOTICE_PATH
        if request.headers.get("x-aws-ec2-metadata-token") != self.token:
            return Answer(401)
        return self.answers.pop(0)


def test_leaves_once_the_notice_is_there() -> None:
    metadata = Metadata(
        Answer(404),
        Answer(500),
        Answer(200, b"not json"),
        Answer(200, b"[]"),
        as_json({"time": "2026-11-28T12:00:00Z"}),
        Answer(401),  # the token's time is over
        as_json({"action": "terminate", "time": "2026-11-28T12:00:00Z"}),
    )
    reasons: list[str] = []
    with answering(metadata.answer) as http:
        thread = watch(SpotNotices(http.url), reasons.append, poll_s=0.01)
        thread.join(PATIENCE_S)
    assert reasons == ["EC2 announces terminate"]
    assert (metadata.answers, metadata.tokens) == ([], [])


def test_a_service_that_is_away_is_no_reason() -> None:
    asked = threading.Event()
    notices = SpotNotices("http://127.0.0.1:9/")
    reasons: list[str] = []

    def ask() -> str | None:
        if asked.is_set():
            return "enough"
        asked.set()
        return notices()

    watch(ask, reasons.append, poll_s=0.01).join(PATIENCE_S)
    assert reasons == ["enough"]


def test_asked_only_on_ec2s_machines(tmp_path: Path) -> None:
    maker = tmp_path / "sys_vendor"
    assert spot_notice_url("auto", maker) is None
    maker.write_text("QEMU\n")
    assert spot_notice_url("auto", maker) is None
    maker.write_text(f"{EC2_MAKER}\n")
    assert spot_notice_url("auto", maker) == EC2_URL
    assert spot_notice_url("off", maker) is None
    assert spot_notice_url("http://127.0.0.1:1/", maker) == "http://127.0.0.1:1/"
