"""The thumbnails that one attempt at a chunk made, as one file (pure): a header, an index, then PNGs.

    header   magic, chunk, token of the attempt, how many entries
    index    an entry a picture, by number from 0: where its PNG begins after the index, its bytes, why
             there is none, a digest of the PNG, and the beginning of the SHA-256 of the picture's own file

Whoever reads believes nothing: the header must be of the chunk and attempt that gave the answer, the entry
of the very picture that was read, its range within the file, and the PNG the one that was written for this
place. A PNG has four kinds of block and as many bytes of pixels as its size says; all else is refused.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from hashlib import blake2b

PACK_NAME = "thumbnails.pack"
MAGIC = b"CMthumb1"
HEADER = struct.Struct("<8sqqI4x")
ENTRY = struct.Struct("<IHH8s8s")
MOST_BYTES = 32_768  # of a PNG
MOST_SIDE = 512  # pixels
MOST_NUMBERS = 1 << 20  # of a chunk: its images, and pages of its files

THERE, NOT_READ, NOT_DECODED, NOT_MADE = range(4)
WHY_NOT = {
    NOT_READ: "the attempt that answered made none of it",
    NOT_DECODED: "the picture could not be decoded",
    NOT_MADE: "the worker could not make it",
}
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">IIBBBBB")


class PackRefused(Exception):
    """The file is not what it should be; the message says how."""


@dataclass(frozen=True, slots=True)
class PackEntry:
    """`offset` counts from the end of the index; `why` is THERE or a key of WHY_NOT."""

    offset: int
    size: int
    why: int
    digest: bytes
    picture: bytes

    def packed(self) -> bytes:
        return ENTRY.pack(self.offset, self.size, self.why, self.digest, self.picture)


NO_ENTRY = PackEntry(0, 0, NOT_READ, bytes(8), bytes(8))


def pack_key(folder: str, token: int) -> str:
    """Where the pack of an attempt is, beside its result file."""
    return f"{folder}/{token}/{PACK_NAME}"


def digest_of(chunk: int, token: int, number: int, png: bytes) -> bytes:
    """Of a PNG in its place: another's digest is another."""
    return blake2b(struct.pack("<qqq", chunk, token, number) + png, digest_size=8).digest()


def picture_mark(sha256: bytes) -> bytes:
    """The picture's own file, in few bytes; zeros where it was never read."""
    return sha256[:8].ljust(8, b"\0")


def pack_header(chunk: int, token: int, count: int) -> bytes:
    return HEADER.pack(MAGIC, chunk, token, count)


def entry_place(number: int) -> int:
    return HEADER.size + number * ENTRY.size


def read_header(head: bytes, chunk: int, token: int) -> int:
    """How many entries there are. Raises PackRefused."""
    if len(head) < HEADER.size:
        raise PackRefused("it ends within its header")
    magic, of_chunk, of_token, count = HEADER.unpack_from(head)
    if magic != MAGIC:
        raise PackRefused("it is no pack of thumbnails")
    if (of_chunk, of_token) != (chunk, token):
        raise PackRefused(f"it is of chunk {of_chunk}, attempt {of_token}")
    if count > MOST_NUMBERS:
        raise PackRefused(f"it says that it has {count} entries")
    return int(count)


def read_entry(data: bytes, count: int, pack_bytes: int, sha256: bytes) -> PackEntry:
    """Of a pack with `count` entries and so many bytes in all; `sha256` is the picture's. Raises
    PackRefused.
    """
    if len(data) < ENTRY.size:
        raise PackRefused("it ends within its index")
    entry = PackEntry(*ENTRY.unpack_from(data))
    if entry.why != THERE:
        if entry.why not in WHY_NOT:
            raise PackRefused("an entry says what is not known")
        return entry
    if entry.picture != picture_mark(sha256):
        raise PackRefused("the thumbnail is of another picture than the one that was read")
    if not 0 < entry.size <= MOST_BYTES or entry_place(count) + entry.offset + entry.size > pack_bytes:
        raise PackRefused("an entry leads out of it")
    return entry


def check_png(data: bytes) -> None:
    """Raises PackRefused unless it is a small PNG of greys by a palette, without anything else in it."""
    if not data.startswith(_SIGNATURE):
        raise PackRefused("it is no PNG")
    kinds: list[bytes] = []
    pixels, head, at = b"", b"", len(_SIGNATURE)
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data.ljust(at + 8, b"\0"), at)
        body, end = data[at + 8 : at + 8 + size], at + 12 + size
        if end > len(data) or zlib.crc32(kind + body) != int.from_bytes(data[end - 4 : end], "big"):
            raise PackRefused("a block of the PNG is damaged")
        head = body if kind == b"IHDR" else head
        pixels += body if kind == b"IDAT" else b""
        if not kinds or kinds[-1] != kind or kind != b"IDAT":
            kinds.append(kind)
        at = end
    if kinds != [b"IHDR", b"PLTE", b"IDAT", b"IEND"] or len(head) != _HEAD.size:
        raise PackRefused("the PNG has other blocks than a thumbnail")
    width, height, *form = _HEAD.unpack(head)
    if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE) or form != [4, 3, 0, 0, 0]:
        raise PackRefused("the PNG has another size or form than a thumbnail")
    wanted = height * (1 + (width + 1) // 2)
    inflate = zlib.decompressobj()
    try:
        rows = inflate.decompress(pixels, wanted + 1)
    except zlib.error:
        raise PackRefused("the pixels of the PNG are damaged") from None
    if len(rows) != wanted or not inflate.eof or inflate.unused_data:
        raise PackRefused("the PNG has more or fewer pixels than it says")
