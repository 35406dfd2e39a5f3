"""What a worker tells its supervisor: in a page of memory that both have mapped, and by how it ends.

The last word of a worker that was killed is still there to be read (above all which images were in flight),
a full disk cannot stop it, and neither side ever waits for the other. Two halves are written in turn, each
with its number and a checksum, so that a reader always finds one that is whole. The images in flight change
too often for that: each is one 64-bit entry of a table behind the halves, written by a single store.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any, Literal

PAGE_BYTES = 64 * 1024
_HALF_BYTES = 16 * 1024
_HEADER = struct.Struct("<QII")  # number, length, CRC-32
_FLIGHT_START = 2 * _HALF_BYTES
FLIGHT_SLOTS = (PAGE_BYTES - _FLIGHT_START) // 8
LOOKS = 10  # of a reader, for a half that is whole
_NUMBER_BITS = 24  # of an entry: image number + 1; above it the chunk. No entry is 0.

State = Literal["loading", "idle", "working", "leaving"]


@dataclass(frozen=True, slots=True)
class ChunkStatus:
    """A chunk that a worker has claimed. `in_flight`: numbers of the images that the recogniser has."""

    chunk: int
    token: int
    name: str
    done: int
    total: int
    in_flight: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker's state; moments are CLOCK_MONOTONIC, which all processes of a host share."""

    state: State = "loading"
    ready_s: float | None = None
    progress_s: float = 0.0
    images_done: int = 0
    chunks_done: int = 0
    private_bytes: int = 0
    peak_private_bytes: int = 0
    shared_bytes: int = 0
    held_reason: str = ""
    leaving_reason: str = ""
    chunks: tuple[ChunkStatus, ...] = field(default=())
    written_s: float = 0.0  # its watchdog writes twice a second, whatever else waits
    chunks_failed: int = 0  # given up after a fault that it recorded


class WorkerStatusPage:
    """One side of the page; the supervisor creates it and hands its descriptor to the worker."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, PAGE_BYTES)
        self._flight = memoryview(self._memory)[_FLIGHT_START:].cast("Q")
        self._number = 0

    @classmethod
    def create(cls, name: str) -> WorkerStatusPage:
        descriptor = os.memfd_create(name)
        os.ftruncate(descriptor, PAGE_BYTES)
        return cls(descriptor)

    def write(self, status: WorkerStatus) -> None:
        """Replace what is said; one writer only."""
        text = json.dumps(_values_of(status), ensure_ascii=False, separators=(",", ":"))
        content = text.encode(errors="replace")  # a path may hold what is no character
        if len(content) > _HALF_BYTES - _HEADER.size:
            raise ValueError(f"status of {len(content)} bytes do not fit into a page")
        self._number += 1
        start = (self._number % 2) * _HALF_BYTES
        self._memory[start + _HEADER.size : start + _HEADER.size + len(content)] = content
        self._memory[start : start + _HEADER.size] = _HEADER.pack(
            self._number, len(content), zlib.crc32(content)
        )

    def set_in_flight(self, slot: int, chunk: int, number: int) -> None:
        """The recogniser has the image; `slot` is below FLIGHT_SLOTS and free."""
        self._flight[slot] = chunk << _NUMBER_BITS | number + 1

    def clear_in_flight(self, slot: int) -> None:
        self._flight[slot] = 0

    def read(self) -> WorkerStatus:
        """The newest half that is whole, with the images in flight; a worker that has said nothing is
        loading. One is always whole, but which may change between the looks at both: then look again.
        """
        for _ in range(LOOKS):
            halves = sorted((half for half in map(self._read_half, (0, 1)) if half is not None), reverse=True)
            if halves:
                return _status_of(halves[0][1], self._read_flight())
        return WorkerStatus()

    def close(self) -> None:
        self._flight.release()
        self._memory.close()
        os.close(self.descriptor)

    def _read_flight(self) -> dict[int, list[int]]:
        """Numbers of images by chunk."""
        flight: dict[int, list[int]] = {}
        for entry in filter(None, self._flight):
            flight.setdefault(entry >> _NUMBER_BITS, []).append((entry & (1 << _NUMBER_BITS) - 1) - 1)
        return flight

    def _read_half(self, half: int) -> tuple[int, bytes] | None:
        start = half * _HALF_BYTES
        number, length, checksum = _HEADER.unpack_from(self._memory, start)
        if not 0 < length <= _HALF_BYTES - _HEADER.size:
            return None
        content = self._memory[start + _HEADER.size : start + _HEADER.size + length]
        return (number, content) if zlib.crc32(content) == checksum else None


def _values_of(status: WorkerStatus) -> dict[str, Any]:
    """By name, chunks as lists, without what the table holds. (asdict takes ten times as long.)"""
    values: dict[str, Any] = {name: getattr(status, name) for name in WorkerStatus.__slots__}
    values["chunks"] = [(one.chunk, one.token, one.name, one.done, one.total) for one in status.chunks]
    return values


def _status_of(content: bytes, flight: dict[int, list[int]]) -> WorkerStatus:
    values = json.loads(content)
    chunks = tuple(
        ChunkStatus(chunk, token, name, done, total, tuple(sorted(flight.get(chunk, ()))))
        for chunk, token, name, done, total in values.pop("chunks")
    )
    return WorkerStatus(**values, chunks=chunks)


EXIT_LEFT = 0  # left in order: nothing to do, drained, asked to
EXIT_FAILED = 1  # the recogniser raised an error, which the log has
EXIT_LATE = 75  # gave up its chunks because leaving in order took too long


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """`name` is short ("SIGSEGV", "OOM", "exit 3"); `images_may_be_cause`: those that were in flight."""

    name: str
    text: str
    in_order: bool
    images_may_be_cause: bool


def explain_exit(
    return_code: int,
    oom_kills: int,
    stall_s: float | None,
    asked_to_leave: bool = False,
    was_stopped: bool = False,
) -> WorkerExit:
    """From `Popen.returncode`, the growth of the OOM counter since the last look, how long the worker had
    made no progress when its supervisor ended it (None: it did not), and whether its supervisor had asked it
    to leave: one that was still starting ends by the signal itself.

    Who had been stopped (SIGSTOP) stalled by no image. A SIGKILL without an OOM kill comes from outside: no
    image is its cause.
    """
    if stall_s is not None and was_stopped:
        return WorkerExit("stopped", f"was stopped for {stall_s:.0f} s and was ended", False, False)
    if stall_s is not None:
        return WorkerExit("stalled", f"made no progress for {stall_s:.0f} s and was ended", False, True)
    if return_code == EXIT_LEFT:
        return WorkerExit("left", "left in order", True, False)
    if return_code == EXIT_LATE:
        return WorkerExit("late", "could not leave in order in time", False, False)
    if return_code > 0:
        return WorkerExit(f"exit {return_code}", f"exited with code {return_code}", False, True)
    name = _signal_name(-return_code)
    if asked_to_leave and name == "SIGTERM":
        return WorkerExit("left", "was asked to leave while it was starting", True, False)
    if asked_to_leave and name == "SIGKILL":
        return WorkerExit("late", "did not leave in time and was ended by its supervisor", False, False)
    if name == "SIGKILL" and oom_kills > 0:
        return WorkerExit("OOM", "was killed by the kernel because memory ran out (OOM)", False, True)
    if name in {"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"}:
        return WorkerExit(name, f"was ended from outside by {name}", False, False)
    return WorkerExit(name, f"crashed by {name}", False, True)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
