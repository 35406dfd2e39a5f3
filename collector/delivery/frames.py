"""Points as the bytes that Carbon reads (pure).

Pickle protocol: a 4-byte big-endian length, then a pickle of [(path, (timestamp, value)), ...]. Carbon closes
the connection on a longer frame than 1 MiB, and the sender may see no error, so no frame may pass that.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Iterator, Sequence

from collector.delivery.destinations import Protocol
from collector.points import Point

FRAME_BYTES_MAX = 1_048_576  # carbon's MAX_LENGTH, without the 4 bytes of the length
PICKLE_PROTOCOL = 2  # read by every Carbon, Python 2's too

# More than a point takes besides its path: in a pickle at most 5 (string) + 11 (timestamp) + 9 (value)
# + 2 (tuples); in a line two spaces, two numbers and the line's end.
_POINT_BYTES = 64
_ROOM_BYTES = 4096  # for the pickle's head and end, and one point that is added later


def split_points(points: Sequence[Point], frame_bytes: int = FRAME_BYTES_MAX) -> Iterator[Sequence[Point]]:
    """Cut into stretches that fit one frame each, with room for one point more; in order, none empty."""
    start, size = 0, 0
    for index, point in enumerate(points):
        need = (
            len(point.path) * 4 + _POINT_BYTES if not point.path.isascii() else len(point.path) + _POINT_BYTES
        )
        if size and size + need > frame_bytes - _ROOM_BYTES:
            yield points[start:index]
            start, size = index, 0
        size += need
    if start < len(points):
        yield points[start:]


def encode_frame(points: Sequence[Point], protocol: Protocol = "pickle") -> bytes:
    """The bytes of one frame, ready for the socket. Lines (plaintext protocol) are a frame too."""
    if protocol == "plain":
        return b"".join(
            b"%s %r %d\n" % (path.encode(), value, timestamp) for path, timestamp, value in points
        )
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, PICKLE_PROTOCOL)
    pickler.fast = True  # no memo: a fifth less to send, and to work off for Carbon
    pickler.dump([(path, (timestamp, value)) for path, timestamp, value in points])
    body = buffer.getvalue()
    if len(body) > FRAME_BYTES_MAX:
        raise ValueError(f"a frame of {len(body)} bytes: Carbon reads at most {FRAME_BYTES_MAX}")
    return struct.pack("!L", len(body)) + body
