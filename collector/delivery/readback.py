"""Did delivered frames arrive? Each carries a marker that is in no other; the store is asked for it.

A store can take a frame to the last byte and lose it: Carbon answers nothing, drops what it cannot parse, and
loses its cache when it is killed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from collector.delivery.spool import Kept, Marker

LOOK_AFTER_S = 30  # stores show new points after up to 12 s
RESEND_AFTER_S = 60  # doubled with each time a frame was sent
RESEND_AFTER_MAX_S = 1800
FRAMES_MAX = 1000  # looked for in one run
SLOTS = 64  # marker names of one destination; a frame's timestamp tells those of one slot apart


class ReadbackVerdict(NamedTuple):
    arrived: list[Kept]
    missing: list[Kept]  # to be sent again


@dataclass(frozen=True, slots=True)
class Readback:
    """Where to read back, and how to name the marker of a slot."""

    url: str
    timeout_s: float
    ca_file: Path | None
    name_marker: Callable[[str], str]  # slot -> path

    def make_marker(self, slot: int, keeps: Callable[[str], bool]) -> Marker:
        """A marker that the sender's own node keeps: on a ring, names are tried until one falls to it."""
        path, salt = self.name_marker(str(slot)), 0
        while not keeps(path):
            salt += 1
            path = self.name_marker(f"{slot}_{salt}")
        return Marker(path, float(int.from_bytes(os.urandom(6), "big")))

    def shows(self, marker: Marker, timestamp: int) -> bool:
        """Whether the store has a marker of that time. RenderFailed where it cannot be asked."""
        return (
            self._fetch([marker.path], timestamp, timestamp).get(marker.path, {}).get(timestamp)
            == marker.value
        )

    def _fetch(self, paths: Sequence[str], from_s: int, until_s: int) -> dict[str, dict[int, float]]:
        from collector.delivery.graphite import fetch_render  # urllib, only where something is read back

        return fetch_render(self.url, paths, from_s, until_s, self.timeout_s, self.ca_file).values

    def judge(self, frames: Sequence[Kept]) -> ReadbackVerdict:
        """Ask the store for the markers of delivered frames. RenderFailed where it cannot be asked."""
        asked = [(frame, frame.marker) for frame in frames if frame.marker is not None][:FRAMES_MAX]
        without = [frame for frame in frames if frame.marker is None]  # kept before anything was read back
        if not asked:
            return ReadbackVerdict(without, [])
        times = [frame.timestamp for frame, _ in asked]
        targets = sorted({marker.path for _, marker in asked})
        found = self._fetch(targets, min(times), max(times))
        arrived, missing = without, []
        for frame, marker in asked:
            if found.get(marker.path, {}).get(frame.timestamp) == marker.value:
                arrived.append(frame)
            elif frame.delivered_for_s >= min(
                RESEND_AFTER_MAX_S, RESEND_AFTER_S << max(0, min(frame.attempts, 8) - 1)
            ):
                missing.append(frame)
        return ReadbackVerdict(arrived, missing)
