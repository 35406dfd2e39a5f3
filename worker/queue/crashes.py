"""What follows from a worker's death: its chunk is free at once, and the images it was on are suspects."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, select, update

from worker.queue.attempts import UNCLAIMED, charge, end_attempt
from worker.queue.claims import REMAINING
from worker.queue.hosts import add_event
from worker.queue.model import Result, Rules
from worker.queue.schema import ACTIVE, PENDING, chunks, images
from worker.queue.storing import add_results

CRASHES_ALONE = 2  # after so many the image gets the crash as its result


def crash(
    connection: Connection,
    rules: Rules,
    chunk: int,
    token: int,
    in_flight: Sequence[int],
    error: str,
    blame: bool,
) -> None:
    row = connection.execute(select(chunks).where(chunks.c.id == chunk).with_for_update()).one_or_none()
    if row is None:
        return
    remaining = {image.number: image for image in connection.execute(REMAINING, {"chunk": chunk})}
    flying = [remaining[number] for number in in_flight if number in remaining]
    held = row.state == ACTIVE and row.token == token
    if held and blame and len(in_flight) == 1 and flying and flying[0].suspect:
        charge_image(connection, chunk, token, flying[0].number, error)
    mark_suspects(connection, chunk, [image.number for image in flying])
    if not held:
        return
    add_event(connection, "crashed", f"{row.name}: {error}", row.host, row.worker, chunk)
    if blame and not in_flight:
        charge(connection, rules, row, error, backoff=True)
    else:
        set_free(connection, chunk, error)
    end_attempt(connection, chunk, token, "crashed", error, None)


def free(connection: Connection, worker: str, error: str) -> None:
    held = select(chunks).where(chunks.c.state == ACTIVE, chunks.c.worker == worker).with_for_update()
    for row in connection.execute(held).all():
        add_event(connection, "crashed", f"{row.name}: {error}", row.host, worker, row.id)
        set_free(connection, row.id, error)
        end_attempt(connection, row.id, row.token, "crashed", error, None)


def set_free(connection: Connection, chunk: int, error: str) -> None:
    values = UNCLAIMED | {"state": PENDING, "error": error}
    connection.execute(update(chunks).where(chunks.c.id == chunk).values(values))


def mark_suspects(connection: Connection, chunk: int, numbers: Sequence[int]) -> None:
    if numbers:
        these = and_(images.c.chunk_id == chunk, images.c.number.in_(numbers))
        connection.execute(update(images).where(these).values(suspect=True))


def charge_image(connection: Connection, chunk: int, token: int, number: int, error: str) -> None:
    """One more crash of a worker that had the image alone."""
    this = and_(images.c.chunk_id == chunk, images.c.number == number)
    counted = update(images).where(this).values(crashes=images.c.crashes + 1).returning(images.c.crashes)
    if connection.execute(counted).scalar_one() >= CRASHES_ALONE:
        add_results(connection, chunk, token, [Result(number, None, error=f"WorkerCrash: {error}")])
