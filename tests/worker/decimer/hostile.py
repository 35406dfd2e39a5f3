"""Three hundred bad image files, each with the error it must give; the same files on every run."""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.worker.decimer.kept import DRAWINGS, FORMATS

BROKEN = {"TruncatedImage", "DamagedImage", "NotAnImage"}  # by how much of its beginning is left
HUGE = {"TooManyPixels"}


def _save(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _read_sources() -> dict[str, bytes]:
    with Image.open(sorted(DRAWINGS.glob("*.png"))[22]) as opened:
        drawing = opened.convert("RGB")
    return {
        "png": _save(drawing, "PNG"),
        "jpg": _save(drawing, "JPEG"),
        "gif": _save(drawing, "GIF"),
        "bmp": _save(drawing, "BMP"),
        "tiff": _save(drawing, "TIFF", compression="tiff_lzw"),
        "webp": _save(drawing, "WEBP", lossless=True),
        "heic": (FORMATS / "aspirin.heic").read_bytes(),
    }


def _list_truncations() -> Iterator[tuple[str, bytes, set[str]]]:
    """Cut in the signature, in the header, in the data and just before the end."""
    for suffix, content in _read_sources().items():
        size = len(content)
        places = [1, 3, 7, 12, 20, 33, 57, *(size * share // 100 for share in range(3, 93, 4))]
        # These two are opened by what is at their end, and by one call of their library.
        in_data = {"DamagedImage"} if suffix in ("tiff", "webp") else {"TruncatedImage"}
        for place in places:
            yield f"cut-{place}.{suffix}", content[:place], in_data if place > 1000 else BROKEN


def _png(width: int, height: int, depth: int = 8, colour: int = 2, data: bytes = b"\0" * 64) -> bytes:
    return _png_of(width, height, depth, colour, zlib.compress(data))


def _png_of(width: int, height: int, depth: int, colour: int, packed: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _pack_zeros(megabytes: int) -> bytes:
    """What zlib would make of them, without going through them: one block, many times."""
    packer = zlib.compressobj()
    block = packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    header, block = block[:2], block[2:]
    checksum = (megabytes * 1_000_000 % 65_521) << 16 | 1  # Adler-32 of zeros
    return header + block * megabytes + b"\3\0" + struct.pack(">I", checksum)


def _list_bombs() -> Iterator[tuple[str, bytes, set[str]]]:
    """Headers that promise far more than a page; some keep the promise in few bytes."""
    sides = [(20_000, 20_000), (65_535, 65_535), (2**31 - 1, 2), (3, 2**31 - 1), (100_000, 1), (7_100, 7_100)]
    for number, (width, height) in enumerate(sides):
        yield f"huge-{number}.png", _png(width, height), HUGE
        bmp = struct.pack("<2sIHHI", b"BM", 100, 0, 0, 54)
        bmp += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 2835, 2835, 0, 0) + b"\0" * 46
        yield f"huge-{number}.bmp", bmp, HUGE
        sized = struct.pack("<HH", min(width, 65_535), min(height, 65_535))
        gif = b"GIF89a" + sized + b"\x80\0\0\0\0\0\xff\xff\xff," + b"\0" * 4 + sized + b"\0\x02\x02D\x01\0;"
        yield f"huge-{number}.gif", gif, HUGE
    yield "bomb.png", _png_of(39_992, 40_000, 1, 0, _pack_zeros(200)), HUGE  # 5,000 bytes a row
    yield "empty-data.png", _png(100, 100, data=b""), {"TruncatedImage"}
    yield (
        "short-data.png",
        _png(300, 300, data=b"\0" * 1000),
        {"TruncatedImage"},
    )
    yield "no-width.png", _png(0, 100), {"DamagedImage"}
    yield "odd-depth.png", _png(100, 100, depth=7), {"DamagedImage"}


def _list_strangers() -> Iterator[tuple[str, bytes, set[str]]]:
    """Not images, whatever they are called."""
    texts = [
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.4\n%\xe2\xe3\n",
        b"PK\3\4" + b"\0" * 60,
    ]
    texts += [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"#!/bin/sh\nexit 1\n",
        b"\x7fELF" + b"\2" * 80,
    ]
    texts += [b"\x80\4\x95", b"{}", b"\0", b"\xff\xd8", b"GIF", b"II*\0", b"RIFF\x10\0\0\0WAVE", b"\n" * 100]
    for number, text in enumerate(texts):
        for suffix in ("png", "jpg", "heic"):
            yield f"stranger-{number}.{suffix}", text, {"NotAnImage", "DamagedImage"}
    for suffix in ("png", "jpg", "gif", "bmp", "tiff", "webp", "heic", "txt"):
        yield f"empty.{suffix}", b"", {"EmptyFile"}


def _list_blanks() -> Iterator[tuple[str, bytes, set[str]]]:
    """Pages without a drawing: white, black, one colour, transparent, nearly white."""
    blank = {"BlankImage"}
    for suffix in ("png", "jpeg", "gif", "bmp", "tiff", "webp"):
        for name, colour in (("white", "white"), ("black", "black"), ("grey", (90, 90, 90))):
            yield f"{name}.{suffix}", _save(Image.new("RGB", (320, 200), colour), suffix), blank
    yield "clear.png", _save(Image.new("RGBA", (320, 200), (0, 0, 0, 0)), "PNG"), blank
    yield "one-pixel.png", _save(Image.new("RGB", (1, 1)), "PNG"), blank
    yield "deep.png", _save(Image.fromarray(np.full((90, 90), 40_000, np.uint16)), "PNG"), blank


def _list_scrambled() -> Iterator[tuple[str, bytes, set[str]]]:
    """Bytes overwritten after the header: whether it shows depends on the format's checks."""
    content = _read_sources()["png"]
    for seed in range(24):
        damaged = bytearray(content)
        chance = np.random.RandomState(seed)
        for place in chance.randint(16, len(content) - 12, 40):
            damaged[place] = chance.randint(0, 256)
        yield f"scrambled-{seed}.png", bytes(damaged), {"DamagedImage"}


def write_hostile(folder: Path) -> dict[Path, set[str]]:
    """Write them all; path to the names of the errors that are right for it."""
    makers = (_list_truncations, _list_bombs, _list_strangers, _list_blanks, _list_scrambled)
    expected = {}
    for maker in makers:
        for name, content, errors in maker():
            path = folder / name
            assert path not in expected
            path.write_bytes(content)
            expected[path] = errors
    return expected
