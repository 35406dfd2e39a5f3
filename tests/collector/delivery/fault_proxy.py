"""A TCP proxy on loopback before a real Carbon that fails as it is told, and logs what it swallowed."""

from __future__ import annotations

import pickle
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from tests.services.support import PATIENCE_S, free_port

FAULTS = ("pass", "delay", "cut", "discard", "reset", "silent", "refuse")


class FaultProxy:
    """Listens on `address`; `set_fault` applies to connections from then on.

    cut: reads and passes on `after_bytes`, then closes; reset: the same with a reset; discard: takes all,
    passes nothing on and ends properly; silent: accepts and never reads; refuse: nothing listens.
    """

    def __init__(self, carbon: str) -> None:
        host, _, port = carbon.partition(":")
        self._target = (host, int(port))
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        self.swallowed: set[tuple[str, int]] = (
            set()
        )  # (path, timestamp) of every frame taken whole and discarded
        self.connections = 0
        self._fault, self._after_bytes = "pass", 0
        self._silent: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._listen()

    def set_fault(self, fault: str, after_bytes: int = 0) -> None:
        assert fault in FAULTS
        self._fault, self._after_bytes = fault, after_bytes
        for connection in self._silent:
            connection.close()
        self._silent.clear()
        if fault == "refuse":
            self.close()
        elif self._listener is None:
            self._listen()

    def close(self) -> None:
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _listen(self) -> None:
        listener = socket.create_server(("127.0.0.1", self._port), reuse_port=False, backlog=64)
        self._listener = listener

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                self.connections += 1
                threading.Thread(
                    target=self._serve, args=(connection, self._fault, self._after_bytes), daemon=True
                ).start()

        threading.Thread(target=accept, daemon=True).start()

    def _serve(self, connection: socket.socket, fault: str, after_bytes: int) -> None:
        if fault == "silent":
            self._silent.append(connection)
            return
        with connection, suppress(OSError):
            if fault == "discard":
                data = b"".join(_chunks(connection))
                self.swallowed |= set(_points(data))
                return
            if fault == "delay":
                time.sleep(0.15)
            with socket.create_connection(self._target, timeout=PATIENCE_S) as carbon:
                self._pass_on(connection, carbon, fault, after_bytes)

    def _pass_on(
        self, connection: socket.socket, carbon: socket.socket, fault: str, after_bytes: int
    ) -> None:
        left = after_bytes if fault in ("cut", "reset") else 1 << 62
        while left > 0 and (chunk := connection.recv(min(left, 1 << 16))):
            carbon.sendall(chunk)
            left -= len(chunk)
        if left <= 0:
            if fault == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        carbon.shutdown(socket.SHUT_WR)
        while carbon.recv(4096):  # Carbon's end shows that it read everything; pass that on too
            pass


def _chunks(connection: socket.socket) -> Iterator[bytes]:
    while chunk := connection.recv(1 << 16):
        yield chunk


def _points(data: bytes) -> Iterator[tuple[str, int]]:
    """Path and timestamp of the points of all whole frames."""
    while len(data) >= 4:
        (length,) = struct.unpack_from("!L", data)
        frame, data = data[4 : 4 + length], data[4 + length :]
        if len(frame) == length:
            for path, (timestamp, _) in pickle.loads(frame):
                yield path, timestamp
