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
from collector.model import Point

FRAME_BYTES_MAX = 1_048_576  # carbon's MAX_LENGTH, without the 4 bytes of the length
_FRAME_BYTES_MIN = 65_536
PICKLE_PROTOCOL = 2  # read by every Carbon, Python 2's too

# More than a point takes besides its path: in a pickle at most 5 (string) + 11 (timestamp) + 9 (value)
# + 2 (tuples); in a line two spaces, two numbers and the line's end.
_POINT_BYTES = 64
_ROOM_BYTES = 4096  # for the pickle's head and end, and one point that is added later


def split_points(points: Sequence[Point], frame_bytes: int | None = None) -> Iterator[Sequence[Point]]:
    """Cut into stretches that fit one frame each, with room for one point more; in order, none empty.

    Without `frame_bytes` into about sixteen, so that the store reads while the rest is on its way; neither
    less than 64 KiB each, for each frame costs some work too, nor more than Carbon takes.
    """
    needs = [_bytes_of(point) for point in points]
    if frame_bytes is None:
        frame_bytes = min(max(sum(needs) // 16, _FRAME_BYTES_MIN), FRAME_BYTES_MAX)
    start, size = 0, 0
    for index, need in enumerate(needs):
        if size and size + need > frame_bytes - _ROOM_BYTES:
            yield points[start:index]
            start, size = index, 0
        size += need
    if start < len(points):
        yield points[start:]


def _bytes_of(point: Point) -> int:
    return len(point.path) * (1 if point.path.isascii() else 4) + _POINT_BYTES


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
