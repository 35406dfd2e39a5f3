"""The database goes away, and comes back or does not."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.services.needs import need
from tests.services.postgres import Postgres
from tests.services.support import in_time, open_way_to
from tests.worker.fleet import ROOT
from tests.worker.queue.helpers import add, answers, claim, complete, row
from worker.queue import QueuePolicy, QueueRefused, QueueUnavailable, open_queue
from worker.queue.database.connections import Database


def test_a_restart_of_the_server_is_ridden_out(own_postgres: Postgres) -> None:
    queue = open_queue(own_postgres.create_database())
    add(queue, images=2)
    held = claim(queue)
    own_postgres.restart()
    held = queue.store(held, answers(held))
    own_postgres.stop()
    back = threading.Timer(1.5, own_postgres.start)
    back.start()
    complete(queue, held)
    back.join()
    assert row(queue, held.chunk).state == "done"
    own_postgres.kill()
    own_postgres.start()
    assert row(queue, held.chunk).images_done == 2
    queue.close()


def test_a_server_that_stays_away_is_named_without_its_password(own_postgres: Postgres) -> None:
    url = own_postgres.create_database().replace("postgres@", "postgres:geheim@")
    queue = open_queue(url, QueuePolicy(patience_s=1))
    own_postgres.stop()
    started = time.monotonic()
    with pytest.raises(QueueUnavailable, match=r"postgresql\+psycopg://postgres:\*\*\*@127") as said:
        queue.active_chunks()
    assert in_time(time.monotonic() - started, 10)
    assert "geheim" not in str(said.value)
    queue.close()


def test_a_locked_sqlite_file_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    queue = open_queue(f"sqlite:///{path}")
    add(queue)
    blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    threading.Timer(0.5, blocker.commit).start()
    assert claim(queue).token == 1
    queue.close()


@pytest.mark.parametrize(
    "url",
    [
        "mysql://x/y",
        "sqlite://",
        "sqlite:///:memory:",
        "nonsense",
        "postgresql://u:p@h:port/q",
        "postgresql://u:p@h/q?sslmod=require",
    ],
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(QueueRefused, match="WORKER_DATABASE_URL"):
        open_queue(url)


@pytest.mark.parametrize("name", ["missing.db", "file/queue.db", "x" * 300])
def test_a_file_that_cannot_be_there_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(QueueUnavailable, match=name):
        Database(f"sqlite:///{tmp_path / name}", 0, read_only=True)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    path.write_text("this is not a database, though it is long enough to look at " * 20)
    with pytest.raises(QueueUnavailable, match=r"queue\.db.*not a database"):
        open_queue(f"sqlite:///{path}")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(QueueUnavailable, match=r"queue\.db"):
        open_queue(f"sqlite:///{tmp_path / 'file' / 'queue.db'}")


@pytest.mark.parametrize("url", ["postgresql://u:geheim@h/q", "postgresql://u@h/q?password=geheim"])
def test_no_message_holds_the_password(url: str) -> None:
    database = Database(url, 0)
    assert database.url.password == "geheim"
    assert "geheim" not in database.named
    database.close()


def test_a_queue_that_nobody_works_on_is_read_where_nothing_may_be_written(tmp_path: Path) -> None:
    """Its last worker took -shm and -wal away, and the page's user cannot make them anew."""
    need("root")
    if os.getuid() != 0:
        pytest.skip("only root can be another user")
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    path = folder / "queue.db"
    queue = open_queue(f"sqlite:///{path}")
    add(queue)
    queue.close()
    assert [file.name for file in folder.iterdir()] == ["queue.db"]
    path.chmod(0o644)
    open_way_to(folder)
    program = (
        "from worker.queue.statistics.queue import read_figures; import sys;"
        "print(read_figures(sys.argv[1]).chunks['pending'])"
    )
    reader = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", sys.executable, "-c", program]
    done = subprocess.run([*reader, f"sqlite:///{path}"], cwd=ROOT, capture_output=True, check=False)
    assert done.stdout == b"2\n", done.stderr.decode()
