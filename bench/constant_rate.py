"""Offer requests at a constant rate and measure each from when it was meant to start.

A client that waits for an answer before it asks again measures a server that has stalled only once. Here a
request that could not start in time, because all connections still wait, counts from its intended start.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from dataclasses import dataclass, field

_READ_BYTES = 1 << 20


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    intended_s: float = 0.0
    received: bytearray = field(default_factory=bytearray)
    missing: int = -1  # bytes of the answer still to come; -1 while its head is incomplete


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
        connection = _Connection(socket.create_connection(("127.0.0.1", port)))
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
                connection.socket.sendall(request)
                sent += 1
            due_s = begin + sent / rate_per_s - time.perf_counter() if sent < total and idle else 1.0
            for key, _ in selector.select(max(0.0, due_s)):
                if _receive(key.data):
                    latencies.append(time.perf_counter() - key.data.intended_s)
                    idle.append(key.data)
    finally:
        for key in list(selector.get_map().values()):
            key.data.socket.close()
        selector.close()
    return latencies


def _receive(connection: _Connection) -> bool:
    """Take what has come; whether the answer is complete."""
    data = connection.socket.recv(_READ_BYTES)
    if not data:
        raise RuntimeError("the server closed a connection in the middle of the run")
    if connection.missing >= 0:
        connection.missing -= len(data)
    else:
        connection.received += data
        end = connection.received.find(b"\r\n\r\n")
        if end < 0:
            return False
        connection.missing = _length(bytes(connection.received[:end])) - (len(connection.received) - end - 4)
    if connection.missing > 0:
        return False
    connection.received.clear()
    connection.missing = -1
    return True


def _length(head: bytes) -> int:
    status, *lines = head.split(b"\r\n")
    if status.split(b" ")[1][:1] not in (b"2", b"3"):
        raise RuntimeError(f"the server answered {status.decode(errors='replace')}")
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
