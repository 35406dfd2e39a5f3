"""What a child process is at, told as it goes: one that is stopped at its deadline can no longer say it.

`report` writes to the pipe that child.py opened for this process; elsewhere it does nothing.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress

HEADER = struct.Struct("!cQ")  # sort of message, and the length of what follows
NOTE, ANSWER, ERROR = b"N", b"A", b"E"

_pipe: int | None = None


def open_pipe(pipe: int) -> None:
    """From now on this process tells what it is at through `pipe`."""
    global _pipe
    _pipe = pipe


def report(text: str) -> None:
    """Tell what comes next, for example "asking schedd a.example.org"."""
    if _pipe is not None:
        with suppress(OSError):  # nobody listens any more; the deadline will tell
            send(_pipe, NOTE, text.encode("utf-8", "replace"))


def send(pipe: int, sort: bytes, body: bytes) -> None:
    view = memoryview(HEADER.pack(sort, len(body)) + body)
    while view:
        view = view[os.write(pipe, view) :]


def split_messages(data: bytes) -> tuple[str, bytes, bytes]:
    """(last note, sort, body) of what a child sent; the sort is empty where its answer is not complete."""
    note, offset = "", 0
    while offset + HEADER.size <= len(data):
        sort, length = HEADER.unpack_from(data, offset)
        body = data[offset + HEADER.size : offset + HEADER.size + length]
        offset += HEADER.size + length
        if len(body) < length:
            break
        if sort != NOTE:
            return note, sort, body
        note = body.decode()
    return note, b"", b""
