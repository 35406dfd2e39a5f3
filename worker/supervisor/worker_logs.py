"""Workers' output on disk: every worker has a file of its name, rotated, that nobody needs to read for it
to run.

A worker writes to the file itself, so neither a full pipe nor a dead supervisor can stop it. Rotation
copies and truncates, because the worker keeps its descriptor (opened for appending, it goes on at the new
end).
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from cloud_monitor.system.files import create_file, make_folder


def open_log(folder: Path, name: str) -> BinaryIO:
    make_folder(folder)
    path = folder / f"{name}.log"
    create_file(path)
    return path.open("ab", buffering=0)


def rotate_log(path: Path, most_bytes: int, files: int) -> None:
    """When the file has grown past `most_bytes`: NAME.log.1 is the newest of at most `files` old ones."""
    if not path.exists() or path.stat().st_size <= most_bytes:
        return
    for number in range(files - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    newest = path.with_name(f"{path.name}.1")
    try:
        create_file(newest)
        shutil.copyfile(path, newest)
    except OSError:  # a full disk: the log goes, the worker stays
        newest.unlink(missing_ok=True)
    with path.open("r+b") as log:
        log.truncate()


def last_lines(path: Path, lines: int = 5, most_bytes: int = 4096) -> str:
    """The end of the log: what a crashed worker said last."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - most_bytes))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def prune_logs(folder: Path, keep: int) -> None:
    """Keep the newest `keep` files: worker names are new with each start, and the folder must not grow for
    ever. What another supervisor removes meanwhile, or nobody may, is left for the next time.
    """
    with suppress(OSError):
        logs = sorted(folder.glob("*.log*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for log in logs[keep:]:
            log.unlink(missing_ok=True)
