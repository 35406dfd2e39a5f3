"""What a source is at, told as it goes: a child that is stopped at its deadline can no longer say it.

`say` writes to the pipe that isolate.py opened for this process; elsewhere it does nothing.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress

HEADER = struct.Struct("!cQ")  # kind of message, and the length of what follows
NOTE, COLLECTED, ERROR = b"N", b"C", b"E"

_pipe: int | None = None


def open_stage(pipe: int) -> None:
    """From now on this process tells what it is at through `pipe`."""
    global _pipe
    _pipe = pipe


def say(text: str) -> None:
    """Tell what comes next, for example "asking schedd a.example.org"."""
    if _pipe is not None:
        with suppress(OSError):  # nobody listens any more; the deadline will tell
            send(_pipe, NOTE, text.encode("utf-8", "replace"))


def send(pipe: int, kind: bytes, body: bytes) -> None:
    view = memoryview(HEADER.pack(kind, len(body)) + body)
    while view:
        view = view[os.write(pipe, view) :]


def split_messages(data: bytes) -> tuple[str, bytes, bytes]:
    """(last note, kind, body) of what a child sent; the kind is empty where its answer is not complete."""
    note, offset = "", 0
    while offset + HEADER.size <= len(data):
        kind, length = HEADER.unpack_from(data, offset)
        body = data[offset + HEADER.size : offset + HEADER.size + length]
        offset += HEADER.size + length
        if len(body) < length:
            break
        if kind != NOTE:
            return note, kind, body
        note = body.decode()
    return note, b"", b""
