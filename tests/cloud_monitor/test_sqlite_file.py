"""SQLite files: broken ones told from busy and full ones, and set aside once, however many find them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier, Timer

import pytest

from cloud_monitor.system.sqlite_file import (
    KEPT_MAX,
    Tables,
    connect,
    identity_of,
    is_broken,
    open_to_read,
    open_transaction,
    set_aside,
    switch_to_wal,
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "some.sqlite"
    with closing(connect(path, synchronous="FULL")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE rows (text)")
        connection.executemany("INSERT INTO rows VALUES (?)", [("x" * 500,)] * 100)
    return path


def fault_of(path: Path, *statements: str) -> sqlite3.Error:
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        *before, last = statements
        for statement in before:
            connection.execute(statement)
        with pytest.raises(sqlite3.Error) as caught:
            connection.execute(last).fetchall()
        return caught.value


def test_what_is_busy_full_or_read_only_is_not_broken(database: Path) -> None:
    with closing(connect(database, synchronous="NORMAL")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not is_broken(fault_of(database, "BEGIN IMMEDIATE"))
    fill = "INSERT INTO rows VALUES (zeroblob(1000000))"
    assert not is_broken(fault_of(database, "PRAGMA max_page_count = 20", fill))
    assert not is_broken(fault_of(database, "PRAGMA query_only = 1", "DELETE FROM rows"))
    assert not is_broken(OSError(5, "an error of the disk"))


@pytest.mark.parametrize("keep_bytes", [0, 4096])
def test_text_and_torn_pages_are_broken(database: Path, keep_bytes: int) -> None:
    content = database.read_bytes()
    database.write_bytes(content[:keep_bytes] + b"this is no database " * 2000)
    assert is_broken(fault_of(database, "SELECT * FROM rows"))


def test_a_broken_file_goes_aside_with_its_log_and_the_oldest_go(database: Path, tmp_path: Path) -> None:
    names = []
    for number in range(KEPT_MAX + 2):
        database.write_text(f"broken {number}")
        database.with_name("some.sqlite-wal").write_text(f"log {number}")
        database.with_name("some.sqlite-shm").touch()
        aside = set_aside(database, identity_of(database))
        assert aside is not None
        assert aside.read_text() == f"broken {number}"
        assert aside.with_name(f"{aside.name}-wal").read_text() == f"log {number}"
        names.append(aside.name)
    kept = {name + suffix for name in names[-KEPT_MAX:] for suffix in ("", "-wal")}
    assert {path.name for path in tmp_path.iterdir()} == kept | {"lock"}


def test_of_many_that_find_it_broken_at_once_one_sets_it_aside(database: Path) -> None:
    """Each begins a new one, which the others must leave alone."""
    broken, together = identity_of(database), Barrier(8)

    def mend(number: int) -> Path | None:
        together.wait()
        aside = set_aside(database, broken)
        with closing(connect(database, synchronous="NORMAL")) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS new (number)")
            connection.execute("INSERT INTO new VALUES (?)", (number,))
        return aside

    with ThreadPoolExecutor(8) as pool:
        moved = [aside for aside in pool.map(mend, range(8)) if aside is not None]
    assert len(moved) == 1
    with closing(connect(database, synchronous="NORMAL")) as connection:
        numbers = [row[0] for row in connection.execute("SELECT number FROM new ORDER BY number")]
    assert numbers == list(range(8))


def test_what_is_not_there_was_not_broken(database: Path) -> None:
    database.unlink()
    assert identity_of(database) is None
    assert set_aside(database, identity_of(database)) is None


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """In a transaction on a file without a write-ahead log: SQLite is not patient with whoever wants one."""
    path = tmp_path / "new.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE rows (text)")
        yield connection


def test_who_makes_a_file_in_the_instant_of_another_waits(writer: sqlite3.Connection, tmp_path: Path) -> None:
    tables = Tables("CREATE TABLE IF NOT EXISTS rows (text);\n", version=1, probe="SELECT text FROM rows")
    later = Timer(0.3, lambda: writer.execute("COMMIT"))
    later.start()
    with open_transaction(tmp_path / "new.sqlite", tables, synchronous="NORMAL", is_wal=True) as connection:
        connection.execute("INSERT INTO rows VALUES ('one')")
    later.join()
    assert writer.execute("SELECT text FROM rows").fetchall() == [("one",)]
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_in_use_for_long_is_told_of(writer: sqlite3.Connection, tmp_path: Path) -> None:
    with (
        closing(connect(tmp_path / "new.sqlite", synchronous="NORMAL")) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        switch_to_wal(other, busy_s=0.1)


def test_a_file_whose_first_transaction_came_to_nothing_reads_as_none(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite"
    with open_to_read(path, 0.1) as connection:
        assert connection is None
    tables = Tables("CREATE TABLE rows (text);\n", version=1, probe="SELECT text FROM rows")
    with (
        pytest.raises(ZeroDivisionError),
        open_transaction(path, tables, synchronous="NORMAL", is_wal=True),
    ):
        raise ZeroDivisionError
    with open_to_read(path, 0.1) as connection:
        assert connection is None
    with open_transaction(path, tables, synchronous="NORMAL", is_wal=True) as written:
        written.execute("INSERT INTO rows VALUES ('one')")
    with open_to_read(path, 0.1) as connection:
        assert connection is not None
        assert connection.execute("SELECT text FROM rows").fetchall() == [("one",)]


def test_where_there_is_no_way_to_it_reading_says_so(tmp_path: Path) -> None:
    """Also where the system does not let it be known whether there is a file."""
    with pytest.raises(sqlite3.OperationalError), open_to_read(tmp_path / ("x" * 300) / "a.sqlite", 0.1):
        pass


_FORKING = """
import os, sys, threading, time
from pathlib import Path
from cloud_monitor.system.sqlite_file import Tables, open_to_read, open_transaction

path, begun = Path(sys.argv[1]), threading.Event()
tables = Tables("CREATE TABLE rows (text);\\n", 1, "SELECT count(*) FROM rows")

def add(text):
    with open_transaction(path, tables, synchronous="FULL", is_wal=sys.argv[2] == "wal") as connection:
        connection.execute("INSERT INTO rows VALUES (?)", (text,))
        begun.set()
        time.sleep(0.3)

thread = threading.Thread(target=add, args=("thread",))
thread.start()
begun.wait()
if not (child := os.fork()):
    add("child")
    os._exit(0)
thread.join()
assert os.waitpid(child, 0)[1] == 0, "the child cannot write"
with open_to_read(path, 1) as connection:
    print(*connection.execute("SELECT text FROM rows").fetchall())
"""


@pytest.mark.parametrize("log", ["wal", "journal"])
def test_a_child_that_is_forked_amid_a_transaction_of_another_thread_can_write(
    tmp_path: Path, log: str
) -> None:
    """As a server that has loaded the page, which polls in a thread, forks its workers."""
    command = [sys.executable, "-c", _FORKING, str(tmp_path / "a.db"), log]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.stdout == "('thread',) ('child',)\n", ended.stderr
