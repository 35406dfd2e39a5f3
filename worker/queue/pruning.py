"""What `prune` would delete, and whether somebody has it: exports are noted as events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from worker.queue.hosts import add_event
from worker.queue.schema import batches, chunks, events

EXPORTED = "exported"  # an event's kind


@dataclass(frozen=True, slots=True)
class OldBatch:
    """`exported`: its results were written out after its last chunk had come to an end."""

    name: str
    results: int
    exported: bool


def note_export(connection: Connection, batch: str | None) -> None:
    """The batch's results, or those of all, were written out whole."""
    query = select(batches.c.name).order_by(batches.c.id)
    names = connection.execute(query if batch is None else query.where(batches.c.name == batch)).scalars()
    for name in list(names):
        add_event(connection, EXPORTED, _message(name))


def describe_old(connection: Connection, batch_ids: Sequence[int]) -> list[OldBatch]:
    query = (
        select(
            batches.c.name,
            func.coalesce(func.sum(chunks.c.images_done), 0).label("results"),
            func.coalesce(func.max(chunks.c.ended_at), 0).label("ended_at"),
        )
        .outerjoin(chunks, chunks.c.batch_id == batches.c.id)
        .where(batches.c.id.in_(batch_ids))
        .group_by(batches.c.id, batches.c.name)
        .order_by(batches.c.id)
    )
    last = select(events.c.message, func.max(events.c.at)).where(events.c.kind == EXPORTED)
    exported_at: dict[str, float] = dict(connection.execute(last.group_by(events.c.message)).all())
    return [
        OldBatch(row.name, int(row.results), exported_at.get(_message(row.name), -1.0) >= row.ended_at)
        for row in connection.execute(query)
    ]


def _message(batch: str) -> str:
    return f"batch {batch}: its results were written out"
