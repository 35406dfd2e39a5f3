"""The fixture itself: what is pushed can be rendered, and survives a stop."""

from __future__ import annotations

import socket
import time

from tests.services.graphite import Graphite, push
from tests.services.support import PATIENCE_S, listens, wait_until


def values(graphite: Graphite, path: str) -> list[object]:
    return [
        value for series in graphite.render(path) for value, _ in series["datapoints"] if value is not None
    ]


def test_points_pushed_just_before_carbons_stop_survive_it(own_graphite: Graphite) -> None:
    minute = int(time.time()) // 60 * 60
    for number in range(100):
        push(own_graphite.carbon, f"grids.test.fixture.m{number}", 42.0, minute)
    own_graphite.stop_carbon()
    assert not listens(own_graphite.ports.pickle)
    own_graphite.start_carbon()
    assert values(own_graphite, "grids.test.fixture.*") == [42.0] * 100


def test_killed_carbon_starts_again(own_graphite: Graphite) -> None:
    own_graphite.kill_carbon()
    own_graphite.start_carbon()
    assert listens(own_graphite.ports.pickle)


def test_plaintext_is_taken_too(own_graphite: Graphite) -> None:
    host, port = own_graphite.plain.split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        connection.sendall(b"grids.test.plain 7 %d\n" % (int(time.time()) // 60 * 60))
    wait_until(lambda: values(own_graphite, "grids.test.plain") == [7.0], "the point in render")
