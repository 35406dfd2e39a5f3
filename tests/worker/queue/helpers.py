"""Short forms for the queue's tests."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, select, text, update

from worker.queue import Batch, Claim, Queue, QueuePolicy, Result, Usage, open_queue
from worker.queue.schema import NO_DEADLINE, batches, chunks, images, samples

LEASE_S = 3000.0  # far longer than a test runs: time passes by `let_pass` alone
WHO = {"worker": "w1", "host": "vm1", "engine": "stub", "model": "none"}


def open_new_queue(file: Path, policy: QueuePolicy | None = None) -> Queue:
    """A queue in a new SQLite file: as `open_queue` makes one, but every migration runs only once."""
    file.touch(mode=0o600, exist_ok=False)
    file.write_bytes(_new_queue())
    return open_queue(f"sqlite:///{file}", policy or QueuePolicy())


def queue_at(url: str, policy: QueuePolicy | None = None) -> Queue:
    """`open_queue`, where an SQLite file that is not there yet is made as by `open_new_queue`."""
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not file.exists():
        return open_new_queue(file, policy)
    return open_queue(url, policy)


@cache
def _new_queue() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "queue.db"
        open_queue(f"sqlite:///{file}").close()
        return file.read_bytes()


def add(queue: Queue, name: str = "batch", images: int = 4, chunk_images: int = 2, **options: Any) -> Batch:
    """A batch with one directory `d` of so many images."""
    batch = queue.add_batch(name, "/data", **options)
    queue.add_directories(batch, [("d", [f"i{number}.png" for number in range(images)])], chunk_images)
    return batch


def claim(queue: Queue, **who: Any) -> Claim:
    found = queue.claim(**(WHO | who))
    assert found is not None
    return found


def nothing(queue: Queue, **who: Any) -> bool:
    return queue.claim(**(WHO | who)) is None


def answers(claim: Claim, numbers: Sequence[int] | None = None) -> list[Result]:
    wanted = [image.number for image in claim.images] if numbers is None else numbers
    return [Result(number, f"C{number}", ("C", str(number)), (0.5, 0.25)) for number in wanted]


def complete(queue: Queue, held: Claim, **usage: Any) -> None:
    queue.store(held, answers(held))
    queue.finish(held, Usage(**usage))


def let_pass(queue: Queue, seconds: float) -> None:
    """Moves every time in the queue into the past, as if so long had gone by."""

    def shift(connection: Any) -> None:
        for column in (chunks.c.lease_until, chunks.c.not_before, chunks.c.created_at, chunks.c.ended_at):
            connection.execute(update(chunks).values({column: column - seconds}))
        dated = chunks.c.due < NO_DEADLINE
        connection.execute(update(chunks).where(dated).values(due=chunks.c.due - seconds))
        connection.execute(update(samples).values(at=samples.c.at - seconds))

    queue.database.write(shift)


def age_batches(queue: Queue, seconds: float) -> None:
    aged = update(batches).values(created_at=batches.c.created_at - seconds)
    queue.database.write(lambda connection: connection.execute(aged))


def drop_confidence(connection: Any) -> None:
    """Back to the results of schema 0003."""
    drop_pictures(connection)
    for index in ("results_by_confidence", "results_to_fill"):
        connection.execute(text(f"DROP INDEX {index}"))
    for column in ("batch_id", "least_confidence", "mean_confidence", "notes"):
        connection.execute(text(f"ALTER TABLE results DROP COLUMN {column}"))


def drop_versions(connection: Any) -> None:
    """Back to the hosts of schema 0008."""
    if any(column["name"] == "version" for column in inspect(connection).get_columns("hosts")):
        connection.execute(text("ALTER TABLE hosts DROP COLUMN version"))


def drop_pictures(connection: Any) -> None:
    """Back to the results of schema 0006, before wishes of batches."""
    drop_versions(connection)
    for table in ("batch_wishes", "submit_sources"):
        connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    connection.execute(text("DROP INDEX IF EXISTS results_by_picture"))


def drop_pages(connection: Any) -> None:
    """Back to the images of schema 0004, before the hold over the fleet."""
    drop_pictures(connection)
    connection.execute(text("DROP TABLE fleet_hold"))
    connection.execute(text("ALTER TABLE images DROP COLUMN page"))
    connection.execute(text("ALTER TABLE chunks DROP COLUMN documents"))


def row(queue: Queue, chunk: int) -> Any:
    return queue.database.read(
        lambda connection: connection.execute(select(chunks).where(chunks.c.id == chunk)).one()
    )


def image_rows(queue: Queue, chunk: int) -> list[Any]:
    query = select(images).where(images.c.chunk_id == chunk).order_by(images.c.number)
    return list(queue.database.read(lambda connection: connection.execute(query).all()))
