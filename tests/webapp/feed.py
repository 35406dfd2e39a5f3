"""Put points into a real store the way collectors do: Carbon's pickle frames."""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Iterable

from tests.services.graphite import Graphite
from tests.services.support import PATIENCE_S
from webapp.model.tree import Value


def feed(graphite: Graphite, values: Iterable[Value]) -> None:
    """Send the values and wait until Carbon has read them all; new series show a moment later."""
    host, port = graphite.carbon.split(":")
    points = [(value.path, (value.timestamp, value.value)) for value in values]
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        for start in range(0, len(points), 2000):
            body = pickle.dumps(points[start : start + 2000], protocol=2)
            connection.sendall(struct.pack("!L", len(body)) + body)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
