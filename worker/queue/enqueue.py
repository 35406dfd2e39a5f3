"""What comes into the queue: batches, chunks and images of directories that they do not have yet, and pages.

A listing knows files of several pages by their names alone, so whoever claims one and has it on disk adds its
pages, all of them or none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, update

from worker.queue.claims import HELD, holder, lost
from worker.queue.database.sql import db_now, insert_or_ignore
from worker.queue.hold import refuse_if_held
from worker.queue.model import NO_NEED, Added, Batch, Claim, QueuedImage, QueueRefused, StatedNeed
from worker.queue.policy import QueuePolicy, effective_priority
from worker.queue.schema import DONE, NO_DEADLINE, PENDING, UNFINISHED, batches, chunks, images

DEFAULT_PRIORITY = 2
BATCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
BATCH_NAME_TEXT = "expected up to 100 letters, digits and . _ -, a letter or digit first"
PAGED_SUFFIXES = (".pdf", ".tif", ".tiff", ".gif", ".webp", ".avif", ".heic", ".heif")
Listing = tuple[str, Sequence[str]]  # a directory and the names of its images
Place = tuple[str, int]  # a directory and the part of it that a chunk is


def add_batch(
    connection: Connection,
    policy: QueuePolicy,
    name: str,
    source: str,
    priority: int | None,
    deadline: float | None,
    model: str | None,
    need: StatedNeed = NO_NEED,
) -> Batch:
    """Makes the batch, or takes the one there is with what is not None here."""
    refuse_if_held(connection, f"batch {name}")
    values = {
        "priority": priority,
        "deadline": deadline,
        "model": model,
        "memory_mb": need.memory_mb,
        "cpus": need.cpus,
    }
    given = {key: value for key, value in values.items() if value is not None}
    row = {"name": name, "source": source, "priority": DEFAULT_PRIORITY, "created_at": db_now(), **given}
    connection.execute(insert_or_ignore(connection, batches).values(row))
    found = connection.execute(select(batches).where(batches.c.name == name).with_for_update()).one()
    if found.source != source:
        raise QueueRefused(f"batch {name} is of {found.source}, not {source}: choose another --name")
    if given:
        connection.execute(update(batches).where(batches.c.id == found.id).values(given))
        apply_to_chunks(connection, policy, found.id, given)
    return batch_of(connection.execute(select(batches).where(batches.c.id == found.id)).one())


def apply_to_chunks(
    connection: Connection,
    policy: QueuePolicy,
    batch_id: int,
    given: Mapping[str, Any],
) -> None:
    """To all that are not done, for failed and cancelled ones may be put back. A new deadline is not missed
    yet.
    """
    left = (chunks.c.batch_id == batch_id) & (chunks.c.state != DONE)
    values = {"due" if key == "deadline" else key: value for key, value in given.items()}
    if "due" in values:
        values |= {"due": NO_DEADLINE if values["due"] is None else values["due"], "missed": False}
    connection.execute(update(chunks).where(left).values(values))
    connection.execute(update(chunks).where(left).values(effective_priority=effective_priority(policy)))


def batch_of(row: Row[Any]) -> Batch:
    need = StatedNeed(row.memory_mb, row.cpus)
    return Batch(row.id, row.name, row.source, row.priority, row.deadline, row.model, need)


def add_directories(
    connection: Connection,
    policy: QueuePolicy,
    batch: Batch,
    directories: Sequence[Listing],
    chunk_images: int,
) -> Added:
    """Chunks for those images that the batch does not have; concurrent enqueues of a batch wait for each
    other.
    """
    current = connection.execute(
        select(batches).where(batches.c.id == batch.id).with_for_update()
    ).one_or_none()
    if current is None:
        raise QueueRefused(f"batch {batch.name} is gone: enqueue again")
    paths = [path for path, _ in directories]
    known = _known_names(connection, batch.id, paths)
    parts = _next_parts(connection, batch.id, paths)
    members = {
        (path, part): names
        for path, listed in directories
        for part, names in enumerate(
            split([name for name in listed if name not in known.get(path, ())], chunk_images),
            parts.get(path, 0),
        )
    }
    if not members:
        return Added(0, 0)
    ids = _insert_chunks(connection, current, members)
    rows = [
        {"chunk_id": ids[place], "number": number, "name": name}
        for place, names in members.items()
        for number, name in enumerate(names)
    ]
    connection.execute(insert(images), rows)
    if current.deadline is not None:
        fresh = chunks.c.id.in_(ids.values())
        connection.execute(update(chunks).where(fresh).values(effective_priority=effective_priority(policy)))
    return Added(len(members), len(rows))


def _insert_chunks(
    connection: Connection, batch: Row[Any], members: Mapping[Place, Sequence[str]]
) -> dict[Place, int]:
    """Ids of the new chunks by directory and part."""
    shared = {
        "batch_id": batch.id,
        "state": PENDING,
        "paused": batch.paused,
        "model": batch.model,
        "memory_mb": batch.memory_mb,
        "cpus": batch.cpus,
        "priority": batch.priority,
        "effective_priority": batch.priority,
        "due": NO_DEADLINE if batch.deadline is None else batch.deadline,
    }
    rows = [
        shared
        | {
            "name": chunk_name(batch.name, path, part),
            "directory": path,
            "part": part,
            "images_total": len(names),
            "documents": sum(may_have_pages(name) for name in names),
        }
        for (path, part), names in members.items()
    ]
    statement = (
        insert(chunks).values(created_at=db_now()).returning(chunks.c.directory, chunks.c.part, chunks.c.id)
    )
    return {(directory, part): chunk for directory, part, chunk in connection.execute(statement, rows)}


def may_have_pages(name: str) -> bool:
    return name.lower().endswith(PAGED_SUFFIXES)


def chunk_name(batch: str, directory: str, part: int) -> str:
    return f"{batch}/{directory}#{part}" if directory else f"{batch}#{part}"


def _known_names(connection: Connection, batch_id: int, paths: Sequence[str]) -> dict[str, set[str]]:
    query = (
        select(chunks.c.directory, images.c.name)
        .join(images, images.c.chunk_id == chunks.c.id)
        .where(chunks.c.batch_id == batch_id, chunks.c.directory.in_(paths))
    )
    known: dict[str, set[str]] = {}
    for directory, name in connection.execute(query):
        known.setdefault(directory, set()).add(name)
    return known


def _next_parts(connection: Connection, batch_id: int, paths: Sequence[str]) -> dict[str, int]:
    query = (
        select(chunks.c.directory, func.max(chunks.c.part) + 1)
        .where(chunks.c.batch_id == batch_id, chunks.c.directory.in_(paths))
        .group_by(chunks.c.directory)
    )
    return dict(connection.execute(query).all())


def split(names: Sequence[str], most: int) -> list[tuple[str, ...]]:
    """Parts of at most `most` names, in order, whose sizes differ by at most one."""
    if not names:
        return []
    count = -(-len(names) // most)
    size, larger = divmod(len(names), count)
    starts = [number * size + min(number, larger) for number in range(count + 1)]
    return [tuple(names[start:end]) for start, end in pairwise(starts)]


def add_pages(connection: Connection, claim: Claim, number: int, pages: int) -> tuple[QueuedImage, ...]:
    """The image becomes the first page; gives the others, as images of the same chunk. What was added before
    is not added again. Raises LeaseLost.
    """
    held = select(chunks.c.id).where(HELD).with_for_update()
    if connection.execute(held, holder(claim)).one_or_none() is None:
        raise lost(claim)
    this = and_(images.c.chunk_id == claim.chunk, images.c.number == number)
    document = connection.execute(select(images).where(this)).one()
    if document.page is None:
        last = select(func.max(images.c.number)).where(images.c.chunk_id == claim.chunk)
        first = connection.execute(last).scalar_one() + 1
        connection.execute(update(images).where(this).values(page=1))
        shared = {"chunk_id": claim.chunk, "name": document.name, "quarantined": document.quarantined}
        rows = [shared | {"number": first + page - 2, "page": page} for page in range(2, pages + 1)]
        connection.execute(insert(images), rows)
        more = chunks.c.images_total + len(rows)
        connection.execute(update(chunks).where(chunks.c.id == claim.chunk).values(images_total=more))
    others = (
        select(images.c.number, images.c.name, images.c.quarantined, images.c.page)
        .where(images.c.chunk_id == claim.chunk, images.c.name == document.name, images.c.page > 1)
        .order_by(images.c.page)
    )
    return tuple(QueuedImage(*row) for row in connection.execute(others))


def count_documents(connection: Connection) -> dict[int, int]:
    """By batch: images of chunks not at an end, which may be files of several pages by their names."""
    left = (
        select(chunks.c.batch_id, func.sum(chunks.c.documents))
        .where(chunks.c.state.in_(UNFINISHED), chunks.c.documents > 0)
        .group_by(chunks.c.batch_id)
    )
    return {batch_id: int(count) for batch_id, count in connection.execute(left)}
