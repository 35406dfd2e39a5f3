"""From a listing to the queue: directory by directory, only what the batch does not have yet."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cloud_monitor.system.text import parse_duration
from worker.errors import WorkerError
from worker.queue import Added
from worker.queue.enqueue import BATCH_NAME, BATCH_NAME_TEXT, Listing
from worker.queue.schema import NO_DEADLINE
from worker.storage import Directory

FLUSH_IMAGES = 5_000  # added in one transaction, with what belongs to it
FLUSH_S = 1.0
LONGEST_PATH_BYTES = 2_500  # of a directory below the source: what fits into PostgreSQL's index


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What was listed so far, and how much of it was new."""

    directories: int = 0
    images: int = 0
    new_chunks: int = 0
    new_images: int = 0


def enqueue(
    add: Callable[[Sequence[Listing]], Added],
    directories: Iterable[Directory],
    show: Callable[[Enqueued], None],
) -> Enqueued:
    """Adds as it lists, so that work begins at once, and what was added stays when it is interrupted. `show`
    is called after each addition.
    """
    so_far = Enqueued()
    group: list[tuple[str, tuple[str, ...]]] = []
    grouped, flushed_at = 0, time.monotonic()

    def flush() -> None:
        nonlocal so_far, grouped, flushed_at
        added = add(group)
        so_far = replace(
            so_far, new_chunks=so_far.new_chunks + added.chunks, new_images=so_far.new_images + added.images
        )
        group.clear()
        grouped, flushed_at = 0, time.monotonic()
        show(so_far)

    for directory in directories:
        check_path(directory.path)
        group.append((directory.path, directory.names))
        grouped += len(directory.names)
        so_far = replace(
            so_far, directories=so_far.directories + 1, images=so_far.images + len(directory.names)
        )
        if grouped >= FLUSH_IMAGES or time.monotonic() - flushed_at >= FLUSH_S:
            flush()
    if group:
        flush()
    return so_far


def check_path(path: str) -> None:
    if (length := len(path.encode())) > LONGEST_PATH_BYTES:
        raise WorkerError(
            f"directory {path[:60]}...: its path below the source has {length} bytes, more than "
            f"{LONGEST_PATH_BYTES}: enqueue it by itself"
        )


def batch_name(name: str | None, source: str) -> str:
    """The name given, or the source's last part made into one."""
    if name is None:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", source.rstrip("/").rpartition("/")[2]).lstrip("._-")[:100]
    if not BATCH_NAME.fullmatch(name):
        raise WorkerError(f"--name {name!r}: {BATCH_NAME_TEXT}")
    return name


def parse_deadline(text: str, now: float) -> float:
    """Seconds since the epoch from a span (90m, 4h, 2d) or a time (2026-11-23T08:00, local unless it says
    which).
    """
    try:
        deadline = _read_deadline(text, now)
    except (ValueError, OverflowError):
        raise WorkerError(
            f"--deadline {text!r}: expected a span such as 4h or 2d, or a time such as 2026-11-23T08:00"
        ) from None
    if deadline <= now:
        raise WorkerError(f"--deadline {text}: is in the past")
    if deadline >= NO_DEADLINE:
        raise WorkerError(f"--deadline {text[:20]}: is after the year 9999; leave it out for none")
    return deadline


def _read_deadline(text: str, now: float) -> float:
    try:
        return now + parse_duration(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()
