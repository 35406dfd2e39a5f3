"""What is SQLite's own: how its file is opened, and who holds it while others wait."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event

from cloud_monitor.system.file_locks import describe_process, read_lock_holders
from cloud_monitor.system.files import create_file, make_folder
from cloud_monitor.system.sqlite_file import switch_to_wal
from worker.queue.model import QueueUnavailable

PRAGMAS = (
    "PRAGMA synchronous = NORMAL",  # a power cut may undo the last transactions whole, never half
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
)
READER_PRAGMAS = ("PRAGMA query_only = ON", "PRAGMA temp_store = MEMORY")
BUSY_S = 5  # then the wait is told of, and goes on for as long as the settings say
WRITER_BYTE = 120  # of the file -shm: SQLite's WAL_WRITE_LOCK (https://sqlite.org/walformat.html, 2.3)


def open_sqlite(url: URL, read_only: bool) -> Engine:
    """Transactions begin as the execution option `begin` says, so that a writer takes its lock before it
    reads: a reader that turns writer would fail instead of wait.
    """
    path = Path(url.database or "").absolute()
    if read_only:
        try:
            path.stat()
        except FileNotFoundError:
            raise QueueUnavailable(
                f"queue database {path}: there is no such file; `enqueue` makes it"
            ) from None
        except OSError as error:
            raise QueueUnavailable(f"queue database {path}: {error.strerror}") from None
        url = url.set(database=f"file:{quote(str(path))}").update_query_dict(
            {"mode": "ro", "uri": "true", **({"immutable": "1"} if is_at_rest(path) else {})}
        )
    else:
        try:
            make_folder(path.parent)
        except OSError as error:
            raise QueueUnavailable(
                f"queue database {path}: cannot make its folder: {error.strerror}"
            ) from error
        with suppress(OSError):  # which the first connection tells of
            create_file(path)  # SQLite gives the files beside it the same mode
    engine = create_engine(url, connect_args={"timeout": BUSY_S}, pool_size=2, max_overflow=4)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        if not read_only:
            switch_to_wal(connection, BUSY_S)  # readers never wait for the writer
        for pragma in READER_PRAGMAS if read_only else PRAGMAS:
            connection.execute(pragma).close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def is_at_rest(path: Path) -> bool:
    """Nobody has it open, and who reads may not make the files beside it that reading would take: they went
    with the last who wrote. So it is read as it is, for this once.
    """
    return not Path(f"{path}-wal").exists() and not os.access(path.parent, os.W_OK)


def holders_text(database: str | None) -> str:
    """Who is in a write transaction now; "" where nobody is, or it cannot be known."""
    holders = read_lock_holders(Path(f"{database}-shm"), WRITER_BYTE)
    return " and ".join(describe_process(pid) for pid in holders)
