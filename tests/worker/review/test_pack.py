"""Packs of thumbnails: what a worker wrote is read, and of everything else nothing."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import generate_container_sas
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.services.azurite import ACCOUNT, KEY, Azurite
from tests.worker.queue.helpers import add, answers, claim, queue_at
from worker.decimer.images.thumbnail import encode_png
from worker.queue import Claim, Queue, Result
from worker.recognition import GreyThumbnail
from worker.review.pack import (
    ENTRY,
    HEADER,
    MOST_SIDE,
    THERE,
    PackEntry,
    PackRefused,
    check_png,
    digest_of,
    entry_place,
    pack_header,
    pack_key,
)
from worker.review.pictures import (
    FilePlace,
    NoPicture,
    PictureRefused,
    StorageError,
    open_place,
    read_picture,
)
from worker.runner.thumbnails import WAITING_MOST, Thumbnails
from worker.settings import Settings
from worker.storage import Storage, open_storage

SHA256 = "ab" * 32


def small(level: int, width: int = 9, height: int = 5) -> GreyThumbnail:
    return GreyThumbnail(width, height, bytes([level]) * (width * height))


def png(level: int = 7) -> bytes:
    return encode_png(small(level))


def block(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def made_png(width: int, height: int, rows: bytes, *more: bytes, form: bytes = b"\x04\x03\0\0\0") -> bytes:
    head = struct.pack(">II", width, height) + form
    blocks = (block(b"IHDR", head), block(b"PLTE", bytes(48)), *more, block(b"IDAT", zlib.compress(rows)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(blocks) + block(b"IEND", b"")


def other_format(name: str) -> bytes:
    file = io.BytesIO()
    Image.new("L", (9, 5)).save(file, name)
    return file.getvalue()


HOSTILE = {
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "html": b"<!DOCTYPE html><script>alert(1)</script>",
    "jpeg": other_format("JPEG"),
    "gif": other_format("GIF"),
    "webp": other_format("WEBP"),
    "a png of another kind": other_format("PNG"),
    "text in it": made_png(9, 5, bytes(30), block(b"tEXt", b"Comment\0<script>")),
    "animated": made_png(9, 5, bytes(30), block(b"acTL", bytes(8))),
    "a bomb in its pixels": made_png(9, 5, bytes(10_000_000)),
    "huge by its head": made_png(60_000, 60_000, bytes(30)),
    "too wide": made_png(MOST_SIDE + 1, 1, bytes(2 + MOST_SIDE // 2)),
    "no pixels": made_png(9, 5, b""),
    "interlaced": made_png(9, 5, bytes(30), form=b"\x04\x03\0\0\x01"),
    "something after it": png() + b"<script>",
    "cut short": png()[:-1],
    "nothing": b"",
    "a block longer than it is": png()[:8] + struct.pack(">I", 2**32 - 1) + png()[12:],
}


def test_what_a_worker_writes_is_taken() -> None:
    check_png(png())
    check_png(made_png(9, 5, bytes(30)))


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_nothing_else_is(content: bytes) -> None:
    with pytest.raises(PackRefused):
        check_png(content)


@given(st.integers(0, len(png()) - 1), st.integers(1, 255))
def test_no_bit_of_it_may_differ(at: int, change: int) -> None:
    content = bytearray(png())
    content[at] ^= change
    with pytest.raises(PackRefused):
        check_png(bytes(content))


class Stored:
    """A chunk of four pictures in the queue, `Storage` for its packs, and the place as the page has it."""

    def __init__(self, folder: Path, storage: Storage, place: FilePlace) -> None:
        self.url = f"sqlite:///{folder}/queue.db"
        self.queue: Queue = queue_at(self.url)
        self.storage, self.place, self.folder = storage, place, folder
        add(self.queue, "a batch", images=4, chunk_images=4)

    def answer(self, numbers: tuple[int, ...] = (0, 1, 2, 3)) -> Claim:
        held = claim(self.queue)
        given = [Result(found.number, "C", sha256=SHA256) for found in answers(held, numbers)]
        self.queue.store(held, given)
        return held

    def put(self, held: Claim, content: bytes) -> None:
        path = self.folder / "pack"
        path.write_bytes(content)
        self.storage.put(held.folder, held.token, "thumbnails.pack", path)

    def read(self, number: int, known: str = "", chunk: int = 1) -> bytes:
        return read_picture(self.url, self.place, chunk, number, known).png


def reading_alone(azurite: Azurite, container: str) -> str:
    """A connection string by which blobs of the container may be read, and not even listed."""
    until = datetime.now(UTC) + timedelta(days=1)
    sas = generate_container_sas(ACCOUNT, container, KEY, permission="r", expiry=until)
    return f"BlobEndpoint=http://127.0.0.1:{azurite.port}/{ACCOUNT};SharedAccessSignature={sas}"


@pytest.fixture(params=["folder", pytest.param("azure", marks=pytest.mark.azurite)])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stored]:
    url, word, settings = str(tmp_path / "results"), None, Settings()
    (tmp_path / "results").mkdir()
    if request.param == "azure":
        azurite: Azurite = request.getfixturevalue("azurite")
        container = azurite.create_container()
        url, word = f"azure://{container}/below", reading_alone(azurite, container)
        settings = Settings(azure_connection_string=azurite.connection_string)
    storage, place = open_storage(url, settings), open_place(url, word, 5)
    found = Stored(tmp_path, storage, place)
    yield found
    for closing in (found.queue, storage, place):
        closing.close()


def write_pack(kept: Thumbnails, held: Claim, storage: Storage, *levels: int | None) -> None:
    for number, level in enumerate(levels):
        kept.add(held, number, None if level is None else small(level), SHA256)
    kept.put(held, storage)


def test_each_picture_has_its_own(stored: Stored, tmp_path: Path) -> None:
    held, kept = stored.answer(), Thumbnails(tmp_path)
    with pytest.raises(NoPicture, match="not in storage yet"):
        stored.read(0)
    write_pack(kept, held, stored.storage, 0, None)
    assert stored.read(0) == png(0)
    with pytest.raises(NoPicture, match="could not be decoded"):
        stored.read(1)
    with pytest.raises(NoPicture, match="not in storage yet"):
        stored.read(2)
    write_pack(kept, held, stored.storage, 0, None, 255)  # the same attempt, further on
    assert [stored.read(0), stored.read(2)] == [png(0), png(255)]
    mark = read_picture(stored.url, stored.place, 1, 2).mark
    assert stored.read(2, mark) == b""
    assert stored.read(0, mark) == png(0)
    kept.forget(held)
    kept.add(held, 3, small(3), SHA256)  # it was in the recogniser meanwhile
    kept.put(held, stored.storage)
    kept.close()
    assert list(tmp_path.glob("*-thumbnails*")) == []
    assert stored.read(2) == png(255)


def test_an_answer_never_has_the_thumbnail_of_another_attempt(stored: Stored, tmp_path: Path) -> None:
    kept, first = Thumbnails(tmp_path), stored.answer((0, 1))
    write_pack(kept, first, stored.storage, 10, 20, 30, 40)  # more than it came to store
    stored.queue.release(first, "drained")
    with pytest.raises(NoPicture, match="no such result"):
        stored.read(2)
    second = stored.answer((2, 3))
    with pytest.raises(NoPicture, match="not in storage yet"):
        stored.read(2)
    kept.add(second, 2, small(77), SHA256)
    kept.put(second, stored.storage)
    assert [stored.read(number) for number in (0, 1, 2)] == [png(10), png(20), png(77)]
    with pytest.raises(NoPicture, match="not in storage yet"):
        stored.read(3)
    kept.close()


def one_pack(held: Claim, entry: PackEntry, content: bytes, count: int = 1) -> bytes:
    return pack_header(held.chunk, held.token, count) + entry.packed() + content


def lies(held: Claim) -> dict[str, bytes]:
    content, mark = png(), bytes.fromhex(SHA256)[:8]
    right = PackEntry(0, len(content), THERE, digest_of(1, held.token, 0, content), mark)
    whole = one_pack(held, right, content)

    def of(entry: PackEntry, content: bytes = content) -> bytes:
        return one_pack(held, entry, content)

    def posing(hostile: bytes) -> bytes:
        return of(PackEntry(0, len(hostile), THERE, digest_of(1, held.token, 0, hostile), mark), hostile)

    return {
        "empty": b"",
        "torn in its header": whole[: HEADER.size - 1],
        "torn in its index": whole[: entry_place(1) - 1],
        "torn in its pictures": whole[:-1],
        "no pack": b"<svg/>" * 20,
        "of another chunk": pack_header(2, held.token, 1) + whole[HEADER.size :],
        "of another attempt": pack_header(1, held.token + 1, 1) + whole[HEADER.size :],
        "with entries without end": pack_header(1, held.token, 2**32 - 1) + whole[HEADER.size :],
        "leading behind its end": of(PackEntry(2**32 - 1, len(content), THERE, right.digest, mark)),
        "leading beside it": of(PackEntry(1, len(content), THERE, right.digest, mark), content + b"x"),
        "too large": posing(bytes(33_000)),
        "of no bytes": of(PackEntry(0, 0, THERE, right.digest, mark)),
        "of another picture": of(PackEntry(0, len(content), THERE, right.digest, b"12345678")),
        "without a reason that is known": of(PackEntry(0, 0, 99, right.digest, mark)),
        "of another number": of(
            PackEntry(0, len(content), THERE, digest_of(1, held.token, 1, content), mark)
        ),
        **{f"with {name}": posing(hostile) for name, hostile in HOSTILE.items() if hostile},
    }


def test_a_pack_that_lies_gives_nothing(stored: Stored) -> None:
    held = stored.answer()
    for name, content in lies(held).items():
        stored.put(held, content)
        with pytest.raises(PictureRefused):
            raise AssertionError(f"a pack {name} gave {stored.read(0)[:20]!r}")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Stored]:
    results = str(tmp_path / "results")
    found = Stored(tmp_path, open_storage(results, Settings()), open_place(results, None, 1))
    yield found
    found.queue.close()


def test_no_link_is_followed_and_no_fifo_waited_for(local: Stored, tmp_path: Path) -> None:
    held, kept = local.answer(), Thumbnails(tmp_path)
    write_pack(kept, held, local.storage, 5)
    assert local.read(0) == png(5)
    pack = tmp_path / "results" / pack_key(held.folder, held.token)
    elsewhere = pack.rename(tmp_path / "elsewhere")
    makers: list[Callable[[], object]] = [
        lambda: pack.symlink_to(elsewhere),
        lambda: pack.mkdir(),
        lambda: __import__("os").mkfifo(pack),
    ]
    for make in makers:
        make()
        with pytest.raises(NoPicture):
            local.read(0)
        pack.rmdir() if pack.is_dir() and not pack.is_symlink() else pack.unlink()
    pack.parent.rename(tmp_path / "attempt")
    elsewhere.rename(tmp_path / "attempt" / pack.name)
    pack.parent.symlink_to(tmp_path / "attempt")
    with pytest.raises(NoPicture):
        local.read(0)
    kept.close()


def test_a_batch_whose_name_leads_out_has_no_pictures(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    with_queue = queue_at(url)
    (tmp_path / "1" / "1").mkdir(parents=True)
    (tmp_path / "results" / "below").mkdir(parents=True)
    for name in ("..", "../..", ".", "a//b", "/", "x\u202e"):
        add(with_queue, name, images=1)
        held = claim(with_queue)
        with_queue.store(held, [Result(0, "C", sha256=SHA256)])
        place = open_place(str(tmp_path / "results" / "below"), None, 1)
        with pytest.raises(NoPicture):
            read_picture(url, place, held.chunk, 0)
    with_queue.close()


def test_a_place_that_is_not_there_is_said(local: Stored, tmp_path: Path) -> None:
    local.answer()
    with pytest.raises(StorageError, match="No such file"):
        local.read(0)


def test_what_cannot_be_made_or_kept_costs_nothing_else(local: Stored, tmp_path: Path) -> None:
    """Levels that are too few, and a folder that takes no files."""
    held, kept = local.answer(), Thumbnails(tmp_path)
    kept.add(held, 0, GreyThumbnail(9, 9, b"x"), SHA256)
    kept.add(held, 1, small(1), SHA256)
    kept.put(held, local.storage)
    assert local.read(1) == png(1)
    with pytest.raises(NoPicture, match="could not make it"):
        local.read(0)
    kept.close()
    kept.add(held, 2, small(2), SHA256)  # as when the worker leaves
    nowhere = Thumbnails(tmp_path / "absent")
    nowhere.add(held, 1, small(1), SHA256)
    nowhere.put(held, local.storage)
    nowhere.close()


def test_one_that_brings_more_than_can_be_encoded_loses_none(local: Stored, tmp_path: Path) -> None:
    held, kept = local.answer(), Thumbnails(tmp_path)
    many = 3 * WAITING_MOST
    for number in range(many):
        kept.add(held, number, small(number % 256, 200, 100), SHA256)
    kept.put(held, local.storage)
    pack = (tmp_path / "results" / pack_key(held.folder, held.token)).read_bytes()
    entries = [PackEntry(*ENTRY.unpack_from(pack, entry_place(number))) for number in range(many)]
    assert {entry.why for entry in entries} == {THERE}
    assert sum(entry.size for entry in entries) == len(pack) - entry_place(many)
    kept.close()
