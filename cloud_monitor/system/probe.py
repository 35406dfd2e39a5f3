"""Whether this user can use a folder or a file, tried without leaving anything there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cloud_monitor.system.files import is_absent

_PROBE_BYTES = 1 << 16


def probe_folder(folder: Path) -> None:
    """Raise the OSError that making the folder, or writing a little into it, would raise."""
    while is_absent(folder):
        folder = folder.parent  # in which it, or what is above it, would be made
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        file.write(b"\0" * _PROBE_BYTES)
        os.fsync(file.fileno())  # a network's disk tells that it is full only now


def probe_file(file: Path) -> None:
    """Raise the OSError that reading the file would raise."""
    with open(file, "rb", buffering=0, opener=_open_at_once) as opened:
        opened.read(1)


def _open_at_once(path: str, flags: int) -> int:
    """A pipe that nobody writes to is not waited for."""
    return os.open(path, flags | os.O_NONBLOCK)
