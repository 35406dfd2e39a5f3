"""Brings a database to the schema of this program, once, however many hosts start at the same time.

Columns that a later schema has of results, how sure and how odd they are, are filled from what is kept of
each: of results that an earlier version stored, or still stores while hosts are brought up to date. In
pieces, each a transaction of its own, so that no worker waits long and memory stays bounded.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, inspect, select, text, update

from cloud_monitor.system.sqlite_file import connect_to_read
from worker.answers.notes import notes_on_answer
from worker.queue.database.connections import Database
from worker.queue.model import QueueError, QueueRefused
from worker.queue.results import pack_derived, unpack
from worker.queue.schema import READABLE_SINCE, REVISION, chunks, results

log = logging.getLogger(__name__)
LOCK = 7_201_606  # PostgreSQL's advisory lock of this program's migrations; SQLite's writer is alone anyway


def bring_up_to_date(database: Database) -> None:
    """An SQLite file of an earlier schema is copied before (`queue.db.before-0004`); PostgreSQL's dumps are
    its administrator's.

    Raises QueueRefused when the schema is newer than this program, or the database holds no Unicode, or there
    is no room for the copy.
    """
    check_encoding(database)
    revision = database.read(read_revision)
    if revision == REVISION:
        return
    copy = keep_copy(database) if revision is not None and revision < REVISION else None
    database.write(upgrade)
    fill_all(database)
    if revision is not None:
        kept = f"; as it was before it is kept in {copy}" if copy else ""
        log.warning("%s: brought from schema %s to %s%s", database.named, revision, REVISION, kept)


def keep_copy(database: Database) -> Path | None:
    """Of an SQLite file, whole and of one moment; the first copy that a migration made stays."""
    if database.url.get_backend_name() != "sqlite" or database.url.database is None:
        return None
    path = Path(database.url.database)
    copy = path.with_name(f"{path.name}.before-{REVISION}")
    made = copy.with_name(f"{copy.name}.{os.getpid()}")
    try:
        if not copy.exists():
            with closing(connect_to_read(path, database.patience_s)) as connection:
                connection.execute("VACUUM INTO ?", (str(made),))
            made.chmod(path.stat().st_mode & 0o777)
            made.replace(copy)
    except (sqlite3.Error, OSError) as error:
        made.unlink(missing_ok=True)
        raise QueueRefused(
            f"{database.named}: its schema is older than this program's, and no copy can be kept in {copy} "
            f"before it is changed: {error}: make room there"
        ) from error
    return copy


def require_queue(database: Database) -> str:
    """The schema's revision. Raises QueueError when the database holds no queue."""
    check_encoding(database)
    revision = database.read(read_revision)
    if revision is None:
        raise QueueError(f"{database.named}: it holds no queue; `enqueue` makes one")
    return revision


@contextmanager
def open_to_read(url: str, patience_s: float, needed: str = READABLE_SINCE) -> Iterator[tuple[Database, str]]:
    """A queue that is read and never written, with its schema's revision, `needed` at least. Raises
    QueueUnavailable; QueueError when there is no queue, or one that is too old.
    """
    with closing(Database(url, patience_s, read_only=True)) as database:
        revision = require_queue(database)
        if revision < needed:
            raise QueueError(
                f"{database.named}: its schema {revision} is older than {needed}: `worker enqueue` or "
                "`worker run` brings it up to date"
            )
        yield database, revision


def check_encoding(database: Database) -> None:
    """Names and SMILES of any language must come out as they went in."""
    encoding = database.read(read_encoding)
    if encoding not in ("UTF8", "UTF-8"):
        raise QueueRefused(
            f"{database.named}: its encoding is {encoding}: make it with ENCODING 'UTF8' TEMPLATE template0"
        )


def read_encoding(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return "UTF8"
    encoding = connection.scalar(text("SELECT current_setting('server_encoding')"))
    return encoding.decode() if isinstance(encoding, bytes) else str(encoding)


def read_revision(connection: Connection) -> str | None:
    """None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def upgrade(connection: Connection) -> None:
    from alembic import command  # takes a while to load, and is needed once
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    revision = read_revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise QueueRefused(
            f"the queue's schema {revision} is newer than this program's ({REVISION}): update it"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


PIECE = 1_000  # results

TO_FILL = (
    select(
        *(results.c[name] for name in ("chunk_id", "number", "smiles", "tokens", "confidences", "truncated")),
        *(results.c[name] for name in ("error", "precision", "sha256", "notes")),
        chunks.c.batch_id.label("of_batch"),
    )
    .join(chunks, chunks.c.id == results.c.chunk_id)
    .where(results.c.batch_id.is_(None))
    .order_by(results.c.chunk_id)
    .limit(PIECE)
)
FILL = (
    update(results)
    .where(results.c.chunk_id == bindparam("of_chunk"), results.c.number == bindparam("of_number"))
    .values({name: bindparam(name) for name in ("batch_id", "least_confidence", "mean_confidence", "notes")})
)


def fill_all(database: Database) -> None:
    """Writes only where something is to be filled: who may only read a queue that is whole can call it."""
    while database.read(is_unfilled):
        database.write(fill_piece)


def is_unfilled(connection: Connection) -> bool:
    return connection.execute(TO_FILL.limit(1)).first() is not None


def fill_piece(connection: Connection) -> int:
    """How many were filled; 0 when none is left."""
    rows = connection.execute(TO_FILL).all()
    if rows:
        connection.execute(FILL, [filled(row) for row in rows])
    return len(rows)


def filled(row: Any) -> dict[str, Any]:
    result = unpack(row)
    notes = notes_on_answer(result.smiles, result.tokens, result.truncated)
    key = {"of_chunk": row.chunk_id, "of_number": row.number, "batch_id": row.of_batch}
    return key | pack_derived(result, notes)
