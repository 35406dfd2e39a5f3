"""Sending to one Carbon: what counts as delivered, and what every kind of failing peer is called."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.delivery.carbon import SendFailed, Timeouts, TlsFiles, check_receiver, send_frames
from collector.delivery.destinations import Address, parse_destinations
from collector.delivery.frames import encode_frame, split_points
from collector.model import Point
from tests.collector.support import collector_environment, peer, read_to_end, run_collector
from tests.services.graphite import Graphite
from tests.services.support import PATIENCE_S, in_time, wait_until

SHORT = Timeouts(connect_s=1, write_s=1)
BIG = [b"x" * 1_000_000] * 8  # more than a socket's buffers hold


def address_of(text: str) -> Address:
    return parse_destinations(text)[0].nodes[0].address


def hang(connection: socket.socket) -> None:
    threading.Event().wait()


def read_some_then_close(connection: socket.socket) -> None:
    connection.recv(1000)


def reset(connection: socket.socket) -> None:
    connection.recv(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def talk(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"more " * 100)
        time.sleep(0.01)


def test_everything_is_read_in_order() -> None:
    taken: list[bytes] = []
    with peer(lambda connection: taken.append(read_to_end(connection))) as address:
        send_frames(address_of(address), [b"one", b"two"], SHORT)
    assert taken == [b"onetwo"]


def test_ipv6() -> None:
    taken: list[bytes] = []
    with peer(lambda connection: taken.append(read_to_end(connection)), socket.AF_INET6) as address:
        assert address.startswith("[::1]:")
        send_frames(address_of(address), [b"one"], SHORT)
    assert taken == [b"one"]


@pytest.mark.parametrize(
    ("handle", "frames", "problem"),
    [
        (hang, BIG, "no answer while writing"),
        (hang, [b"small"], "no answer while waiting for the end"),
        (read_some_then_close, BIG, "(reset|[Bb]roken pipe|closed)"),
        (read_some_then_close, [b"x" * 100_000], "(reset|[Bb]roken pipe|closed)"),
        (reset, [b"x" * 100_000], "(reset|[Bb]roken pipe|closed)"),
        (talk, [b"small"], "something else listens there and no Carbon: it answered 'more more"),
    ],
)
def test_a_failing_peer_is_told(
    handle: Callable[[socket.socket], None], frames: list[bytes], problem: str
) -> None:
    started = time.monotonic()
    with peer(handle) as address, pytest.raises(SendFailed, match=problem) as caught:
        send_frames(address_of(address), frames, SHORT)
    assert str(caught.value).startswith(address)
    assert caught.value.sent
    assert in_time(time.monotonic() - started, 4)


def test_a_peer_that_ends_first_has_not_read_everything() -> None:
    """The end looks the same to the sender; it must not count as a receipt."""
    ended = threading.Event()

    def end_after_the_first(connection: socket.socket) -> None:
        """What Carbon does with a frame that it refuses."""
        connection.recv(1 << 20)
        connection.shutdown(socket.SHUT_RDWR)
        ended.set()

    def slow_frames() -> Iterator[bytes]:
        yield b"first"
        assert ended.wait(PATIENCE_S)

    with (
        peer(end_after_the_first) as address,
        pytest.raises(SendFailed, match="before it had read everything"),
    ):
        send_frames(address_of(address), slow_frames(), SHORT)


def test_a_refused_connection_has_sent_nothing() -> None:
    with pytest.raises(SendFailed, match="connection refused") as caught:
        send_frames(address_of("127.0.0.1:1"), [b"x"], SHORT)
    assert caught.value.refused
    assert not caught.value.sent


def test_an_unknown_host_is_told() -> None:
    with pytest.raises(SendFailed, match=r"nowhere\.invalid:2004: .*(not known|resolution|No address)"):
        send_frames(address_of("nowhere.invalid:2004"), [b"x"], SHORT)


def test_a_real_carbon_closes_on_a_frame_over_its_limit_and_that_is_no_delivery(graphite: Graphite) -> None:
    frame = encode_frame([Point("over.limit", 60, 1.0)])
    long = struct.pack("!L", 1_048_577) + b"x" * 1_048_577
    with pytest.raises(SendFailed):
        send_frames(address_of(graphite.carbon), [long, *[frame] * 2000], Timeouts(2, 5))


@pytest.mark.parametrize("scheme", ["", "tcp+plain://"])
def test_a_real_carbon_takes_both_protocols(graphite: Graphite, scheme: str) -> None:
    address = address_of(scheme + (graphite.plain if scheme else graphite.carbon))
    now = int(time.time()) // 60 * 60
    kind = "plain" if scheme else "pickle"
    points = [Point(f"protocol.{kind}.x{number}", now, number / 3) for number in range(500)]
    send_frames(
        address, [encode_frame(chunk, address.protocol) for chunk in split_points(points)], Timeouts(5, 20)
    )

    def all_there() -> bool:
        found = {
            series["target"]: [value for value, at in series["datapoints"] if at == now]  # type: ignore[attr-defined]
            for series in graphite.render(f"protocol.{kind}.*")
        }
        return all(found.get(point.path) == [point.value] for point in points)

    wait_until(all_there, "every value exactly")


def tls_peer(certificates: Path, name: str, taken: list[bytes]) -> Callable[[socket.socket], None]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates / "ca.pem"))
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    context.verify_mode = ssl.CERT_REQUIRED

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            data = read_to_end(secure)
            taken.append(data)
            secure.unwrap()

    return handle


def test_tls_with_verification_and_client_certificate(certificates: Path) -> None:
    taken: list[bytes] = []
    files = TlsFiles(certificates / "ca.pem", certificates / "client.pem", certificates / "client.key")
    for scheme in ("tls://", "tls+plain://"):
        with peer(tls_peer(certificates, "server", taken)) as address:
            send_frames(address_of(scheme + address), [b"secret", b" points"], SHORT, files)
    assert taken == [b"secret points"] * 2


def test_tls_refuses_a_stranger_and_names_the_certificate(certificates: Path) -> None:
    files = TlsFiles(certificates / "ca.pem", certificates / "client.pem", certificates / "client.key")
    with (
        peer(tls_peer(certificates, "stranger", [])) as address,
        pytest.raises(SendFailed, match="CERTIFICATE_VERIFY"),
    ):
        send_frames(address_of("tls://" + address), [b"x"], SHORT, files)
    with (
        peer(tls_peer(certificates, "server", [])) as address,
        pytest.raises(SendFailed, match="CERTIFICATE_VERIFY"),
    ):
        send_frames(address_of("tls://" + address), [b"x"], SHORT, TlsFiles())


def test_a_missing_client_certificate_is_no_delivery(certificates: Path) -> None:
    with peer(tls_peer(certificates, "server", [])) as address, pytest.raises(SendFailed):
        send_frames(
            address_of("tls://" + address), [b"x" * 100] * 100, SHORT, TlsFiles(certificates / "ca.pem")
        )


def test_check_receiver_sends_no_point() -> None:
    taken: list[bytes] = []

    def end_at_a_frame(connection: socket.socket) -> None:
        taken.append(connection.recv(4))

    with peer(end_at_a_frame) as address:
        check_receiver(address_of(address), SHORT)
    assert taken == [b"", b"\x7f\xff\xff\xff"]  # the length of a frame that is never sent


@pytest.mark.parametrize(
    ("handle", "told"),
    [(hang, "no answer while"), (read_some_then_close, "(reset|pipe|closed)"), (None, "connection refused")],
)
def test_a_run_with_a_failing_carbon_ends_in_time_names_it_and_keeps_the_points(
    tmp_path: Path, handle: Callable[[socket.socket], None] | None, told: str
) -> None:
    filler = "; ".join(f"c{number} = /usr/bin/seq -f x%g.y%g.z{number} 1 1" for number in range(2))
    settings = {"CONNECT_TIMEOUT_S": 1, "WRITE_TIMEOUT_S": 1, "COMMANDS": filler}
    with peer(handle or read_to_end) as address:
        target = address if handle else "127.0.0.1:1"
        started = time.monotonic()
        ended = run_collector(environment=collector_environment(tmp_path, target, **settings))
    assert in_time(time.monotonic() - started, 20)
    assert ended.returncode == 3
    assert target in ended.stderr
    assert "points not delivered, kept in" in ended.stderr
    assert re.search(told, ended.stderr)
