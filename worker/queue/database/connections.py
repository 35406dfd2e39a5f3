"""One database, SQLite or PostgreSQL: connections, transactions, and the one place where a lost connection is
retried.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    TimeoutError,
)

from cloud_monitor.repeated_failures import OngoingFailure
from worker.queue.database.postgresql import (
    POOLED,
    explain_refusal,
    is_outage,
    open_postgresql,
    refuse_unknown_options,
)
from worker.queue.database.sqlite import holders_text, open_sqlite
from worker.queue.model import QueueRefused, QueueUnavailable

T = TypeVar("T")
_WELL_AFTER_S = 60.0
_ROOM_BYTES = 128 << 10  # SQLite's -shm takes 32 KiB of it
log = logging.getLogger(__name__)


class Database:
    """Runs whole transactions: `read` and `write` take a function of a connection, and run it again when the
    connection broke, until `patience_s` is over. So such a function must be safe to run twice."""

    def __init__(
        self, url: str, patience_s: float, read_only: bool = False, waits_for_room: bool = True
    ) -> None:
        """Reaches nothing yet. With `read_only` nothing can be written, no file is made. Without
        `waits_for_room` a full disk is told at once.

        Raises QueueRefused.
        """
        self.url = parse_url(url)
        self.patience_s = patience_s
        self._waits_for_room = waits_for_room
        self._failing = {kind: OngoingFailure(_WELL_AFTER_S) for kind in ("read", "write")}
        self.engine = open_engine(self.url, read_only)
        self._reader = self.engine if read_only else without_transactions(self.engine)

    def read(self, run: Callable[[Connection], T]) -> T:
        """With `read_only` all of one moment; else PostgreSQL answers each statement by itself."""
        return self._retry(lambda: self._transact(self._reader, run, "BEGIN"), self._failing["read"])

    def write(self, run: Callable[[Connection], T]) -> T:
        return self._retry(
            lambda: self._transact(self.engine, run, "BEGIN IMMEDIATE"), self._failing["write"]
        )

    def close(self) -> None:
        self.engine.dispose()

    def _transact(self, engine: Engine, run: Callable[[Connection], T], begin: str) -> T:
        with engine.connect() as connection:
            if connection.info.get(POOLED) and engine is not self.engine:
                connection = connection.execution_options(isolation_level="READ COMMITTED")
            connection = connection.execution_options(begin=begin)
            with connection.begin():
                return run(connection)

    def _retry(self, run: Callable[[], T], failing: OngoingFailure) -> T:
        give_up_at = time.monotonic() + self.patience_s
        delay_s = 0.05
        while True:
            try:
                answer = run()
            except (DBAPIError, TimeoutError) as error:
                refusal = explain_refusal(error)
                if refusal is not None:
                    raise QueueRefused(f"{self.explain(error)}: {refusal}") from error
                if not is_expected(error):
                    raise
                if is_outage(error):
                    self.engine.dispose()  # all connections are to a server that has changed its part
                hopeless = is_hopeless(error) or (self._is_full(error) and not self._waits_for_room)
                explained = self.explain(error)
                if hopeless or time.monotonic() + delay_s > give_up_at:
                    raise QueueUnavailable(explained) from error
                if failing.is_to_be_told(explained):
                    log.warning("%s; trying again, for %g s", explained, self.patience_s)
            else:
                if ended := failing.end():
                    log.info("well again: %s", ended)
                return answer
            time.sleep(delay_s * random.uniform(0.5, 1.5))
            delay_s = min(delay_s * 2, 2)

    @property
    def named(self) -> str:
        return f"queue database {self.url.render_as_string(hide_password=True)}"

    def explain(self, error: Exception) -> str:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
        return f"{self.named}: {cause[0]}{self._held_by(cause[0])}{self._room_wanted(error)}"

    def _room_wanted(self, error: Exception) -> str:
        if not self._is_full(error):
            return ""
        where = f"the disk of {self._folder}" if self._folder else "the server's disk"
        return f": free some space on {where}; what the queue has is kept"

    def _is_full(self, error: Exception) -> bool:
        """Whether there is no room for what was to be written, or for the files beside an SQLite file."""
        if any(text in str(error) for text in FULL):
            return True
        if not self._folder or not any(text in str(error) for text in FULL_PERHAPS):
            return False
        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return False
        return disk.f_bavail * disk.f_frsize < _ROOM_BYTES

    @property
    def _folder(self) -> str:
        """Where an SQLite file is; "" of PostgreSQL."""
        file = self.url.database if self.url.get_backend_name() == "sqlite" else ""
        return os.path.dirname(os.path.abspath(file)) if file else ""

    def _held_by(self, cause: str) -> str:
        if self.url.get_backend_name() != "sqlite" or "locked" not in cause:
            return ""
        holders = holders_text(self.url.database)
        return f", by {holders}" if holders else ""


def parse_url(url: str) -> URL:
    """Chooses the drivers: psycopg 3 for PostgreSQL, the standard library's for SQLite.

    Raises QueueRefused.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):  # the latter: a port that is no number
        backend = ""
    if backend in ("postgresql", "postgres"):
        refuse_unknown_options(parsed)
        return with_hidden_password(parsed.set(drivername="postgresql+psycopg"))
    if backend == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed.set(drivername="sqlite")
    raise QueueRefused(
        "WORKER_DATABASE_URL: expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
    )


def with_hidden_password(url: URL) -> URL:
    """One that stands among the options is moved to where messages leave it out."""
    password = url.normalized_query.get("password")
    return url.set(password=password[0]).difference_update_query(["password"]) if password else url


# A connection that broke or was refused, a server that starts or stops, a lock not had in time, a full disk
EXPECTED = (InterfaceError, OperationalError, TimeoutError)
# Of these, in the words of both drivers, what waiting does not heal
HOPELESS = (
    "unable to open database file",
    "attempt to write a readonly",
    "password authentication failed",
    "no password supplied",
    "does not exist",
    "is malformed",
    "not a database",
)
# In their words, and what SQLite says of the files beside its own, for which there is no room either
FULL = ("database or disk is full", "No space left on device", "Disk quota exceeded")
FULL_PERHAPS = ("disk I/O error", "unable to open database file")


def is_expected(error: Exception) -> bool:
    """Not a mistake of this program's; SQLite calls a file that is no database, or damaged, a plain
    DatabaseError.
    """
    broken = getattr(error, "connection_invalidated", False) or is_outage(error)
    return isinstance(error, EXPECTED) or broken or type(error) is DatabaseError


def is_hopeless(error: Exception) -> bool:
    return any(text in str(error) for text in HOPELESS)


def open_engine(url: URL, read_only: bool) -> Engine:
    if url.get_backend_name() == "sqlite":
        return open_sqlite(url, read_only)
    return open_postgresql(url, read_only)


def without_transactions(engine: Engine) -> Engine:
    """The same connections for reading: PostgreSQL is spared the way there and back for BEGIN and COMMIT,
    SQLite's transactions cost nothing.
    """
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="AUTOCOMMIT")
