"""How many pictures a file has, counted by its structure and no further than anybody asks: libraries walk
through all of them, which takes minutes where somebody has put in a million.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

MOST_PAGES = 10_000  # of a file; one with more is read as its first
MOST_WALKED_PIXELS = 1_000_000_000  # on the way to an animation's last picture: some 3 s
ANIMATIONS = ("GIF", "WEBP", "PNG", "AVIF")  # a picture is made from all those before it
_TRAILER, _EXTENSION, _IMAGE = b";", b"!", b","


def count_frames(path: Path, kind: str | None, by_library: int) -> int:
    """At least 1, at most MOST_PAGES + 1. `kind` is Pillow's name of the format, `by_library` its own count,
    for those that say it in their head. A file that breaks off has those before.
    """
    with path.open("rb") as file:
        if kind == "TIFF":
            found = _count_directories(file)
        elif kind == "GIF":
            found = _count_images(file)
        else:
            found = by_library
    return min(max(found, 1), MOST_PAGES + 1)


def are_read_each(pages: int, kind: str | None, pixels: int) -> bool:
    """Of a file with so many pages, each of so many pixels; else it is read as its first."""
    return pages <= MOST_PAGES and (kind not in ANIMATIONS or pages * pixels <= MOST_WALKED_PIXELS)


def _count_directories(file: BinaryIO) -> int:
    """Of a TIFF or BigTIFF: a chain, which may run in a circle."""
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    is_big = head[2:4] in (b"+\0", b"\0+")
    count_of, offset_of, entry_bytes = ("Q", "Q", 20) if is_big else ("H", "I", 12)
    seen: set[int] = set()
    try:
        (offset,) = struct.unpack_from(order + offset_of, head, 8 if is_big else 4)
        while offset and offset not in seen and len(seen) <= MOST_PAGES:
            file.seek(offset)
            (entries,) = struct.unpack(order + count_of, file.read(struct.calcsize(count_of)))
            seen.add(offset)
            file.seek(entries * entry_bytes, 1)
            (offset,) = struct.unpack(order + offset_of, file.read(struct.calcsize(offset_of)))
    except (struct.error, OverflowError, OSError):  # it breaks off, or points beyond any file
        pass
    return len(seen)


def _count_images(file: BinaryIO) -> int:
    """Of a GIF: blocks one after the other."""
    head = file.read(13)
    if len(head) < 13:
        return 0
    _skip_colours(file, head[10])
    found = 0
    while found <= MOST_PAGES:
        kind = file.read(1)
        if kind == _EXTENSION:
            file.seek(1, 1)
        elif kind == _IMAGE:
            descriptor = file.read(9)
            if len(descriptor) < 9:
                return found
            found += 1
            _skip_colours(file, descriptor[8])
            file.seek(1, 1)
        elif kind in (_TRAILER, b""):
            return found
        else:
            continue  # as Pillow: what is no block is passed over
        while (size := file.read(1)) not in (b"\0", b""):
            file.seek(size[0], 1)
    return found


def _skip_colours(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.seek(3 << ((flags & 7) + 1), 1)
