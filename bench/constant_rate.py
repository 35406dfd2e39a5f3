"""Offer requests at a constant rate and measure each from when it was meant to start.

A client that waits for an answer before it asks again measures a server that has stalled only once. Here a
request that could not start in time, because all connections still wait, counts from its intended start.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

_READ_BYTES = 1 << 20


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    intended_s: float = 0.0
    is_busy: bool = False
    received: bytearray = field(default_factory=bytearray)
    missing: int = -1  # bytes of the answer still to come; -1 while its head is incomplete

    def take(self, data: bytes) -> bool:
        """Take what has come; whether the answer is complete."""
        if self.missing >= 0:
            self.missing -= len(data)
        else:
            self.received += data
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return False
            self.missing = _length(bytes(self.received[:end])) - (len(self.received) - end - 4)
        if self.missing > 0:
            return False
        self._forget()
        self.is_busy = False
        return True

    def reopen(self, port: int, request: bytes) -> None:
        """Connect anew, and ask again what was not answered."""
        self.socket.close()
        self.socket = _connect(port)
        self._forget()
        if self.is_busy:
            self.socket.sendall(request)

    def _forget(self) -> None:
        self.received.clear()
        self.missing = -1


def offer(
    port: int, path: str, headers: str, rate_per_s: float, duration_s: float, connections: int = 50
) -> list[float]:
    """Latencies in seconds of rate x duration requests to 127.0.0.1, in the order they were answered.

    `headers` are lines that end with CRLF. Raises RuntimeError for an answer that is no 2xx or 3xx.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode()
    selector = selectors.DefaultSelector()
    idle: deque[_Connection] = deque()
    for _ in range(connections):
        connection = _Connection(_connect(port))
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        idle.append(connection)
    total, sent = round(rate_per_s * duration_s), 0
    latencies: list[float] = []
    begin = time.perf_counter()
    try:
        while len(latencies) < total:
            now = time.perf_counter()
            while sent < total and idle and begin + sent / rate_per_s <= now:
                connection = idle.popleft()
                connection.intended_s = begin + sent / rate_per_s
                connection.is_busy = True
                with suppress(ConnectionError):  # a connection that was just ended shows below
                    connection.socket.sendall(request)
                sent += 1
            due_s = begin + sent / rate_per_s - time.perf_counter() if sent < total and idle else 1.0
            for key, _ in selector.select(max(0.0, due_s)):
                connection = key.data
                try:
                    data = connection.socket.recv(_READ_BYTES)
                except ConnectionError:
                    data = b""
                if not data:  # a busy server ends kept connections; the request's time goes on
                    selector.unregister(connection.socket)
                    connection.reopen(port, request)
                    selector.register(connection.socket, selectors.EVENT_READ, connection)
                elif connection.take(data):
                    latencies.append(time.perf_counter() - connection.intended_s)
                    idle.append(connection)
    finally:
        for key in list(selector.get_map().values()):
            key.data.socket.close()
        selector.close()
    return latencies


def _connect(port: int) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", port))
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _length(head: bytes) -> int:
    status, *lines = head.split(b"\r\n")
    if status.split(b" ")[1][:1] not in (b"2", b"3"):
        raise RuntimeError(f"the server answered {status.decode(errors='replace')}")
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
