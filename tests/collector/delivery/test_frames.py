"""Frames: every point once and in order, none empty or over the limit, readable by Carbon's own unpickler."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collector.delivery.frames import FRAME_BYTES_MAX, encode_frame, split_points
from collector.model import Point

points = st.builds(
    Point,
    st.text("abc._-XYZ019", min_size=1, max_size=400) | st.text(min_size=1, max_size=50),
    st.integers(0, 2**33),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(st.lists(points, max_size=60), st.integers(4300, 9000))
def test_split_keeps_every_point_and_its_order(some: list[Point], frame_bytes: int) -> None:
    chunks = list(split_points(some, frame_bytes))
    assert [point for chunk in chunks for point in chunk] == some
    assert all(chunks)


@given(st.lists(points, min_size=1, max_size=60), points)
def test_a_frame_fits_with_one_point_added(some: list[Point], extra: Point) -> None:
    for chunk in split_points(some, 20_000):
        assert len(encode_frame([*chunk, extra])) - 4 <= 20_000 or len(chunk) == 1


def test_two_hundred_thousand_points_stay_under_the_limit() -> None:
    some = [
        Point(f"grids.g.clouds.c.vms.type{i:06d}.{'x' * (i % 90)}", 1_700_000_040, i / 7)
        for i in range(200_000)
    ]
    frames = [encode_frame(chunk) for chunk in split_points(some)]
    assert max(map(len, frames)) <= FRAME_BYTES_MAX + 4
    assert sum(struct.unpack_from("!L", frame)[0] for frame in frames) == sum(map(len, frames)) - 4 * len(
        frames
    )
    assert len(frames) < 40  # and they are well filled


def test_golden_bytes_of_the_plaintext_protocol() -> None:
    some = [Point("grids.g.heartbeat.condor", 1_700_000_040, 1.0), Point("a.b", 60, 0.1)]
    assert encode_frame(some, "plain") == b"grids.g.heartbeat.condor 1.0 1700000040\na.b 0.1 60\n"


def test_golden_bytes_of_the_pickle_protocol() -> None:
    frame = encode_frame([Point("a.b", 60, 1.5)])
    assert frame.hex() == "0000001a" + "80025d5803000000612e624b3c473ff80000000000008686612e"


CARBON_READER = """
import json, struct, sys
from carbon.util import get_unpickler
unpickler, data, found = get_unpickler(insecure=False), sys.stdin.buffer.read(), []
while data:
    (length,) = struct.unpack_from("!L", data)
    assert 0 < length <= 2**20
    found.append(unpickler.loads(data[4:4 + length]))
    data = data[4 + length:]
print(json.dumps(found))
"""


def test_carbons_own_unpickler_reads_every_frame(carbon_python: Path) -> None:
    some = [
        Point(f"grids.g.x{i}", 1_700_000_040 + 60 * (i % 3), [0.1, -1e300, 5.0, 2.0**60][i % 4])
        for i in range(500)
    ]
    chunks = list(split_points(some, 12_000))
    assert len(chunks) > 2
    data = b"".join(encode_frame(chunk) for chunk in chunks)
    answer = subprocess.run([carbon_python, "-c", CARBON_READER], input=data, capture_output=True, check=True)
    frames = json.loads(answer.stdout)
    assert [len(frame) for frame in frames] == [len(chunk) for chunk in chunks]
    assert [Point(path, at, value) for frame in frames for path, (at, value) in frame] == some
