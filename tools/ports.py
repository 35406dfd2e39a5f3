"""The loopback ports of `make run`: which variable names each, and whether something else has it."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import psutil


class Refused(Exception):
    """`make run` cannot start; the message says why and what to do."""


def read_ports(given: Mapping[str, str], defaults: Mapping[str, int]) -> dict[str, int]:
    """Port by variable, defaults filled in; raises Refused for a value that is no port or is named twice."""
    ports: dict[str, int] = {}
    for name, default in defaults.items():
        value = given.get(name) or str(default)
        if not value.isdecimal() or not 1 <= int(value) <= 65535:
            raise Refused(f"{name}={value} refused: a port from 1 to 65535 is expected")
        port = int(value)
        for other, taken in ports.items():
            if taken == port:
                raise Refused(f"{name} and {other} are both {port}: each needs a port of its own")
        ports[name] = port
    return ports


def check_free(ports: Mapping[str, int], uses: Mapping[str, str]) -> None:
    """Raises Refused naming every port that is taken, by whom if it can be seen, and its variable."""
    complaints = []
    for name, port in ports.items():
        try:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                probe.listen()
        except PermissionError:
            complaints.append(
                f"port {port} of {uses[name]} is root's: choose another: make run {name}={port + 8000}"
            )
        except OSError:
            complaints.append(
                f"port {port} of {uses[name]} is taken{_owner(port)}: "
                f"end that, or choose another: make run {name}={port + 1}"
            )
    if complaints:
        raise Refused("\n".join(complaints))


def _owner(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listening = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
            if listening and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return ""
