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

from cloud_monitor.system.text import one_line
from collector.delivery.destinations import Address, Protocol

if TYPE_CHECKING:
    import ssl

_LINGER_S = 0.005
_OVERLONG = b"\x7f\xff\xff\xff"  # the length of a frame of 2 GiB
_REQUEST = b"GET / HTTP/1.0\r\n\r\n"
_PROBE_S = 3.0
WRONG_PORT: dict[Protocol, str] = {
    "pickle": "if it is a plaintext port (often 2003), write tcp+plain:// before it",
    "plain": "if it is a pickle port (often 2004), leave +plain out of its address",
}
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

    @property
    def given(self) -> list[Path]:
        return [file for file in (self.ca_file, self.cert_file, self.key_file) if file is not None]


class SendFailed(Exception):
    """What went wrong, and where. `refused`: nothing listens there. `sent`: some bytes may have left."""

    def __init__(self, address: Address, problem: str, *, refused: bool = False, sent: bool = False) -> None:
        super().__init__(f"{address}: {problem}")
        self.refused = refused
        self.sent = sent


class _EndedFirst(ConnectionError):
    def __str__(self) -> str:
        return "the peer closed the connection before it had read everything"


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
    except (_EndedFirst, ConnectionResetError, BrokenPipeError) as error:
        problem = f"{error.strerror or error} ({stage}); {WRONG_PORT[address.protocol]}"
        raise SendFailed(address, problem, sent=sent) from None
    except TimeoutError:
        raise SendFailed(address, f"no answer while {stage}", sent=sent) from None
    except ConnectionRefusedError:
        raise SendFailed(address, "connection refused: nothing listens there", refused=True) from None
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SendFailed(address, f"{problem} ({stage})", sent=sent) from None


def check_receiver(address: Address, timeouts: Timeouts, tls: TlsFiles | None = None) -> None:
    """SendFailed where what listens there is none of the address's protocol; no point is sent.

    A receiver of pickles ends the connection at a frame that is longer than it takes, before we end ours; one
    of lines waits on, as a web server does. A receiver of lines passes over what is no point; a web server
    answers a request.
    """
    send_frames(address, (_REQUEST,) if address.protocol == "plain" else (), timeouts, tls)
    if address.protocol == "plain":
        return
    try:
        with socket.create_connection((address.host, address.port), timeouts.connect_s) as plain:
            connection = _wrap(plain, address, tls or TlsFiles()) if address.tls else plain
            connection.sendall(_OVERLONG)
            connection.settimeout(min(_PROBE_S, timeouts.write_s))
            said = connection.recv(4096)
    except TimeoutError:
        problem = "it waits on after a frame that no receiver of pickles takes"
        raise SendFailed(address, f"{problem}; {WRONG_PORT['pickle']}") from None
    except ConnectionResetError:  # another way to end
        return
    except OSError as error:
        raise SendFailed(address, f"{error.strerror or error} (asking what it is)") from None
    if said:
        raise SendFailed(address, _talks(said))


def _wrap(plain: socket.socket, address: Address, files: TlsFiles) -> ssl.SSLSocket:
    return make_context(files).wrap_socket(plain, server_hostname=address.host)


def make_context(files: TlsFiles) -> ssl.SSLContext:
    """Raises OSError, with the settings' names, where a file cannot be read or is none of certificates."""
    import ssl  # five megabytes that most runs need not carry

    try:
        context = ssl.create_default_context(cafile=str(files.ca_file) if files.ca_file else None)
        if files.cert_file:
            context.load_cert_chain(files.cert_file, files.key_file)
    except OSError as error:
        named = ", ".join(map(str, files.given))
        raise OSError(None, f"COLLECTOR_CARBON_*_FILE ({named}): {error.strerror or error}") from None
    return context


def _close_and_confirm(connection: socket.socket, timeout_s: float) -> None:
    """End our side and wait for the peer's end; an error where the peer had ended first."""
    connection.settimeout(timeout_s)
    select.select([connection], [], [], _LINGER_S)  # one that takes everything and dies ends in this time
    if _state(connection) != _ESTABLISHED:
        raise _EndedFirst
    if connection.__class__ is not socket.socket:
        _say_farewell(cast("ssl.SSLSocket", connection))
    with suppress(OSError):  # the peer was quicker; what that means is judged below
        connection.shutdown(socket.SHUT_WR)
    if said := connection.recv(4096):
        raise ConnectionError(0, _talks(said))
    failure = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failure or _state(connection) in (_LAST_ACK, _CLOSING):
        raise _EndedFirst


def _talks(said: bytes) -> str:
    """Carbon says nothing, whatever it is sent."""
    what = "a web server" if said.startswith(b"HTTP/") else "something else"
    return f"{what} listens there and no Carbon: it answered {one_line(said[:60].decode('latin-1'))!r}"


def _say_farewell(connection: ssl.SSLSocket) -> None:
    import ssl

    with suppress(ssl.SSLEOFError, ssl.SSLZeroReturnError):  # many peers end without TLS's own farewell
        connection.unwrap()


def _state(connection: socket.socket) -> int:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
