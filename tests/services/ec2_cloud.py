"""EC2 as moto plays it, behind a proxy with what moto leaves out: client tokens, refusals, lists that lag."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qs

import pytest

from tests.services import ask
from tests.services.answering import Answer, AnsweringServer, Request, answering
from tests.services.needs import need

_ERROR = "<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors></Response>"


class Ec2Cloud:
    """`url` is the endpoint. `faults` are answered once each, in turn, to calls of that action: (action, HTTP
    status, EC2's code, its words); `lag` is how many lists after a RunInstances do not know of it yet; with
    `lost` the answer to the next RunInstances is lost after the machine was made.
    """

    def __init__(self, moto: str, http: AnsweringServer) -> None:
        self._moto = moto
        self._http = http
        http.answer = self._answer
        self.url = http.url
        self.faults: list[tuple[str, int, str, str]] = []
        self.lag = 0
        self.lost = False
        self._made: dict[str, tuple[Mapping[str, list[str]], Answer]] = {}  # by client token
        self._before: dict[bytes, Answer] = {}  # lists, by what was asked
        self._behind = 0

    def calls(self, action: str) -> list[Mapping[str, list[str]]]:
        """What came of it, oldest first."""
        return [form for request in self._http.got if (form := _form(request)).get("Action") == [action]]

    def _answer(self, request: Request) -> Answer:
        form = _form(request)
        action = form.get("Action", [""])[0]
        for fault in self.faults:
            if fault[0] == action:
                self.faults.remove(fault)
                return Answer(fault[1], _ERROR.format(*fault[2:]).encode())
        if action == "RunInstances":
            return self._run(request, form)
        if action == "DescribeInstances":
            if self._behind and request.body in self._before:
                self._behind -= 1
                return self._before[request.body]
            answer = self._before[request.body] = self._pass(request)
            return answer
        return self._pass(request)

    def _run(self, request: Request, form: Mapping[str, list[str]]) -> Answer:
        (token,) = form["ClientToken"]
        if token in self._made:
            asked, answer = self._made[token]
            if asked == form:
                return answer
            return Answer(400, _ERROR.format("IdempotentParameterMismatch", "other parameters").encode())
        answer = self._pass(request)
        if answer.status == 200:
            self._made[token] = (form, answer)
            self._behind = self.lag
        if self.lost:
            self.lost = False
            return Answer(500, b"")
        return answer

    def _pass(self, request: Request) -> Answer:
        kept = ("content-type", "authorization", "x-amz-date", "x-amz-target")
        headers = {name: value for name, value in request.headers.items() if name in kept}
        passed = ask.post(f"{self._moto}{request.target}", data=request.body, headers=headers)
        return Answer(passed.status_code, passed.content, {"Content-Type": passed.headers["Content-Type"]})


def _form(request: Request) -> dict[str, list[str]]:
    return parse_qs(request.body.decode())


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # they take seconds
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@contextmanager
def ec2_cloud(moto: str) -> Iterator[Ec2Cloud]:
    need("ec2")
    ask.post(f"{moto}/moto-api/reset")
    with answering(lambda _: Answer(500)) as http:
        yield Ec2Cloud(moto, http)
