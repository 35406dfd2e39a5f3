"""Send frames to one Carbon and learn whether it read them all.

The close handshake shows it: we end our side, and Carbon ends its side only after it read everything. A
peer that ended first (it fell over, or refused a frame) has not read everything, though its end looks the
same: the state of the connection before and after tells the two apart.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from collector.delivery.destinations import Address

if TYPE_CHECKING:
    import ssl

_LINGER_S = 0.005
_ESTABLISHED, _LAST_ACK, _CLOSING = 1, 9, 11  # states of linux/tcp.h; the first byte of struct tcp_info


@dataclass(frozen=True, slots=True)
class Timeouts:
    connect_s: float
    write_s: float  # for each frame, and for the closing handshake


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files; without a CA file the system's certificates are trusted."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


class SendFailed(Exception):
    """What went wrong, and where. `refused`: nothing listens there. `sent`: some bytes may have left."""

    def __init__(self, address: Address, problem: str, *, refused: bool = False, sent: bool = False) -> None:
        super().__init__(f"{address}: {problem}")
        self.refused = refused
        self.sent = sent


def send_frames(
    address: Address,
    frames: Iterable[bytes],
    timeouts: Timeouts,
    tls: TlsFiles | None = None,
    deadline_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Send all frames over one connection; returns once the peer has shown that it read them."""

    def limit(timeout_s: float) -> float:
        left_s = timeout_s if deadline_s is None else min(timeout_s, deadline_s - clock())
        if left_s <= 0:
            raise TimeoutError
        return left_s

    stage, sent = "connecting", False
    try:
        with socket.create_connection((address.host, address.port), limit(timeouts.connect_s)) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stage = "the TLS handshake" if address.tls else stage
            connection = _wrap(plain, address, tls or TlsFiles()) if address.tls else plain
            stage, sent = "writing", True
            for frame in frames:
                connection.settimeout(limit(timeouts.write_s))
                connection.sendall(frame)
            stage = "waiting for the end of the connection, which shows that everything was read"
            _close_and_confirm(connection, limit(timeouts.write_s))
    except TimeoutError:
        raise SendFailed(address, f"no answer while {stage}", sent=sent) from None
    except ConnectionRefusedError:
        raise SendFailed(address, "connection refused: nothing listens there", refused=True) from None
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SendFailed(address, f"{problem} ({stage})", sent=sent) from None


def check_address(address: Address, timeouts: Timeouts, tls: TlsFiles | None = None) -> None:
    """Connect, shake hands, send nothing, close. SendFailed where that does not work."""
    send_frames(address, (), timeouts, tls)


def _wrap(plain: socket.socket, address: Address, files: TlsFiles) -> ssl.SSLSocket:
    import ssl  # five megabytes that most runs need not carry

    context = ssl.create_default_context(cafile=str(files.ca_file) if files.ca_file else None)
    if files.cert_file:
        context.load_cert_chain(files.cert_file, files.key_file)
    return context.wrap_socket(plain, server_hostname=address.host)


def _close_and_confirm(connection: socket.socket, timeout_s: float) -> None:
    """End our side and wait for the peer's end; an error where the peer had ended first."""
    connection.settimeout(timeout_s)
    select.select([connection], [], [], _LINGER_S)  # one that takes everything and dies ends in this time
    if _state(connection) != _ESTABLISHED:
        raise ConnectionResetError(0, "the peer closed the connection before it had read everything")
    if connection.__class__ is not socket.socket:
        _say_farewell(cast("ssl.SSLSocket", connection))
    with suppress(OSError):  # the peer was quicker; what that means is judged below
        connection.shutdown(socket.SHUT_WR)
    until_s = time.monotonic() + timeout_s
    while connection.recv(4096):  # Carbon says nothing; a peer that talks for ever is none
        if time.monotonic() > until_s:
            raise TimeoutError
    failure = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failure or _state(connection) in (_LAST_ACK, _CLOSING):
        raise ConnectionResetError(0, "the peer closed the connection before it had read everything")


def _say_farewell(connection: ssl.SSLSocket) -> None:
    import ssl

    with suppress(ssl.SSLEOFError, ssl.SSLZeroReturnError):  # many peers end without TLS's own farewell
        connection.unwrap()


def _state(connection: socket.socket) -> int:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
