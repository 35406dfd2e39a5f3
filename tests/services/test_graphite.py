"""The fixture itself: what is pushed can be rendered, and survives a stop."""

from __future__ import annotations

import pickle
import socket
import struct
import time

from tests.services.graphite import Graphite
from tests.services.support import listens, wait_until


def push(address: str, path: str, value: float, timestamp: int) -> None:
    host, port = address.split(":")
    body = pickle.dumps([(path, (timestamp, value))], 2)
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(struct.pack("!L", len(body)) + body)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def values(graphite: Graphite, path: str) -> list[object]:
    return [
        value for series in graphite.render(path) for value, _ in series["datapoints"] if value is not None
    ]


def test_pushed_point_survives_carbons_stop(own_graphite: Graphite) -> None:
    minute = int(time.time()) // 60 * 60
    push(own_graphite.carbon, "grids.test.fixture", 42.0, minute)
    whisper = own_graphite.whisper_dir / "grids/test/fixture.wsp"
    wait_until(whisper.exists, "the Whisper file")
    own_graphite.stop_carbon()
    assert not listens(own_graphite.ports.pickle)
    own_graphite.start_carbon()
    assert values(own_graphite, "grids.test.fixture") == [42.0]


def test_killed_carbon_starts_again(own_graphite: Graphite) -> None:
    own_graphite.kill_carbon()
    own_graphite.start_carbon()
    assert listens(own_graphite.ports.pickle)


def test_plaintext_is_taken_too(own_graphite: Graphite) -> None:
    host, port = own_graphite.plain.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"grids.test.plain 7 %d\n" % (int(time.time()) // 60 * 60))
    wait_until(lambda: values(own_graphite, "grids.test.plain") == [7.0], "the point in render")
