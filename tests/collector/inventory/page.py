"""A stand-in for the status page: takes what it is given, and answers or fails in a chosen way."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.collector.support import peer

TOKEN = "a-secret-shared-with-the-page"


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(gzip.decompress(self.body))


def read_request(connection: socket.socket) -> Request:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1 << 16) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(1 << 16)
    method, path, _ = first.split(" ")
    return Request(method, path, headers, body)


def answer(status: str, text: str = "", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(text)}\r\n\r\n{text}".encode()


@contextmanager
def page(
    reply: bytes = answer("204 No Content"), tls: Path | None = None
) -> Iterator[tuple[str, list[Request]]]:
    """(address, what it was asked); tls: a PEM file of a certificate, with its key beside it."""
    taken: list[Request] = []
    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls, tls.with_suffix(".key"))

    def handle(connection: socket.socket) -> None:
        secure = context.wrap_socket(connection, server_side=True) if context else connection
        with secure:
            taken.append(read_request(secure))
            secure.sendall(reply)

    with peer(handle) as address:
        yield f"http{'s' if tls else ''}://{address}", taken


@contextmanager
def failing_page(handle: Callable[[socket.socket], None]) -> Iterator[str]:
    with peer(handle) as address:
        yield f"http://{address}"
