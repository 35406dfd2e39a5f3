"""What tests share: a port is one test's own, from the moment it is chosen on."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.services.support import _reserve, free_port


def test_a_port_is_kept_from_others_before_anything_listens_there() -> None:
    port = free_port()
    assert not _reserve(port)
    with socket.create_server(("127.0.0.1", port)):
        pass
    given_from = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert port < given_from, "the kernel gives it to no connection"


def test_a_port_on_which_something_listens_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not _reserve(listener.getsockname()[1])
