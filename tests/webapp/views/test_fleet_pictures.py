"""/fleet/pictures/<chunk>/<number>: thumbnails and nothing else, whatever lies in the results' place."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cloud_monitor.settings import SettingsRefused
from tests.services.support import PATIENCE_S
from tests.webapp.sample import clock, write_sample
from tests.worker.queue.helpers import add, claim, queue_at
from webapp import create_app
from webapp.serving.places import AT_ONCE
from webapp.settings import read_settings
from worker.decimer.images.thumbnail import encode_png
from worker.queue import Claim, Result
from worker.recognition import GreyThumbnail
from worker.review.pack import pack_key
from worker.runner.thumbnails import Thumbnails
from worker.settings import Settings
from worker.storage import open_storage

SMALL = GreyThumbnail(8, 4, bytes(range(32)))
SHA256 = "cd" * 32


def make_queue(folder: Path) -> tuple[str, Claim]:
    """One answered picture."""
    url = f"sqlite:///{folder}/queue.db"
    queue = queue_at(url)
    add(queue, images=1)
    held = claim(queue)
    queue.store(held, [Result(0, "C", sha256=SHA256)])
    queue.close()
    return url, held


def make_client(folder: Path, url: str | None, **given: str | None) -> FlaskClient:
    write_sample(folder / "state")
    settings = read_settings(state_dir=folder / "state", fleet_database_url=url, **given)
    return create_app(settings, poll=False, clock=clock).test_client()


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    url, held = make_queue(tmp_path)
    kept = Thumbnails(tmp_path)
    kept.add(held, 0, SMALL, SHA256)
    kept.put(held, open_storage(str(tmp_path / "results"), Settings()))
    kept.close()
    return make_client(tmp_path, url, fleet_pictures=str(tmp_path / "results"))


def test_a_picture_is_a_small_png_and_can_be_nothing_else(client: FlaskClient) -> None:
    answer = client.get("/fleet/pictures/1/0")
    assert (answer.status_code, answer.data) == (200, encode_png(SMALL))
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers.getlist("Content-Security-Policy") == [
        "default-src 'none'; sandbox; frame-ancestors 'none'"
    ]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    again = client.get("/fleet/pictures/1/0", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    assert client.get("/fleet/pictures/1/0", headers={"If-None-Match": '"x"'}).status_code == 200
    assert client.head("/fleet/pictures/1/0").status_code == 200
    assert client.post("/fleet/pictures/1/0").status_code == 405


NO_NUMBERS = [
    "1/1", "2/0", "0/0", "1/-1", "1/0x0", "1/%D9%A0", "1/0.png", "1/0/0", "..%2f1/0", "1/..", "1/", "1/%00",
    "9999999999/9999999999", f"{'9' * 5000}/0",
]  # fmt: skip


@pytest.mark.parametrize("asked", NO_NUMBERS)
def test_what_is_not_the_number_of_a_result_is_not_there(client: FlaskClient, asked: str) -> None:
    answer = client.get(f"/fleet/pictures/{asked}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"


def test_they_are_off_until_a_place_is_named(tmp_path: Path) -> None:
    url, _ = make_queue(tmp_path)
    for client in (
        make_client(tmp_path, url),
        make_client(tmp_path, None, fleet_pictures=str(tmp_path / "results")),
    ):
        answer = client.get("/fleet/pictures/1/0")
        assert answer.status_code == 404
        assert "WEBAPP_FLEET_PICTURES" in answer.text


@pytest.mark.parametrize("place", ["results", "../x", "azure://", "http://a/b", "file:///x", "/x\0"])
def test_a_place_that_is_none_is_refused_at_the_start(tmp_path: Path, place: str) -> None:
    with pytest.raises(SettingsRefused, match="WEBAPP_FLEET_PICTURES"):
        read_settings(state_dir=tmp_path, fleet_pictures=place)


def test_azure_needs_its_key(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="WEBAPP_FLEET_PICTURES_CONNECTION_STRING"):
        read_settings(state_dir=tmp_path, fleet_pictures="azure://results")


def test_what_a_worker_did_not_write_is_refused_and_not_shown(client: FlaskClient, tmp_path: Path) -> None:
    pack = tmp_path / "results" / pack_key("batch/1", 1)
    whole = pack.read_bytes()
    for content in (whole[:-1], b"<svg onload=alert(1)>" * 9, whole.replace(b"IDAT", b"IDAT<svg>")):
        pack.write_bytes(content)
        answer = client.get("/fleet/pictures/1/0")
        assert answer.status_code == 502
        assert "<" not in answer.text
        assert str(tmp_path) not in answer.text
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    pack.write_bytes(whole)
    assert client.get("/fleet/pictures/1/0").status_code == 200


def test_a_place_or_queue_that_is_away_is_said(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "results").rename(tmp_path / "away")
    answer = client.get("/fleet/pictures/1/0")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert client.get("/health").status_code == 200


@contextmanager
def dripping_service(head: bytes) -> Iterator[tuple[int, list[str]]]:
    """An HTTP service that sends a byte now and then, so that no wait for the next one is long; gives its
    port, and who has asked.
    """
    ends, asked = threading.Event(), list[str]()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65_536)
            connection.sendall(head)
            while not ends.wait(0.2):
                connection.sendall(b"x")

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, peer = server.accept()
                asked.append(str(peer))
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], asked
        ends.set()
        server.shutdown(socket.SHUT_RDWR)


HEAD = b"HTTP/1.1 206 Partial Content\r\nContent-Type: text/plain\r\nContent-Length: 16384\r\n"
BLOB = b'ETag: "x"\r\nContent-Range: bytes 0-16383/99999\r\nx-ms-blob-type: BlockBlob\r\n'


def client_of_azure(folder: Path, port: int) -> FlaskClient:
    url, _ = make_queue(folder)
    word = (
        f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:{port}/a;"
    )
    place = {"fleet_pictures": "azure://results", "fleet_pictures_connection_string": word}
    return make_client(folder, url, **place)


def test_a_store_that_never_ends_its_answer_holds_no_thread_of_the_page_for_long(tmp_path: Path) -> None:
    with dripping_service(HEAD + BLOB + b"\r\n") as (port, asked):
        app = client_of_azure(tmp_path, port).application

        def get(_: int) -> int:
            return app.test_client().get("/fleet/pictures/1/0").status_code

        with ThreadPoolExecutor(12) as pool:
            assert set(pool.map(get, range(12), timeout=PATIENCE_S)) == {503}
        assert {get(0) for _ in range(20)} == {503}
        assert 1 <= len(asked) <= AT_ONCE


def test_a_service_that_is_no_blob_storage_is_said(tmp_path: Path) -> None:
    with dripping_service(HEAD + b"\r\n") as (port, _):
        answer = client_of_azure(tmp_path, port).get("/fleet/pictures/1/0")
    assert answer.status_code == 503
    assert "azure://results: batch/1/1/thumbnails.pack: " in answer.text
    assert "a2V5" not in answer.text
