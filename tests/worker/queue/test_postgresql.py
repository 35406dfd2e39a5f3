"""What PostgreSQL's roles, encodings, pools and standbys make of the queue."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.services.pgbouncer import run_pgbouncer
from tests.services.postgres import Postgres
from tests.services.postgres_pair import PostgresPair
from tests.worker.queue.helpers import add, answers, claim, complete
from worker.queue import QueuePolicy, QueueRefused, QueueUnavailable, Usage, open_queue
from worker.queue.database.connections import Database
from worker.queue.statistics.queue import read_figures

IMPATIENT = QueuePolicy(patience_s=1)


def run_sql(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def guest(postgres: Postgres) -> str:
    """An empty database as a role sees it that owns nothing there."""
    url = postgres.create_database()
    name = url.rpartition("/")[2]
    run_sql(url, f"CREATE ROLE guest_{name} LOGIN", "REVOKE ALL ON SCHEMA public FROM public")
    run_sql(url, f"GRANT USAGE ON SCHEMA public TO guest_{name}")
    return url.replace("postgres@", f"guest_{name}@")


def test_a_role_that_may_not_make_tables_is_told_what_it_lacks(guest: str) -> None:
    with pytest.raises(QueueRefused, match=r"permission denied for schema public: grant this role"):
        open_queue(guest, IMPATIENT)


def test_tables_of_another_owner_are_named(guest: str) -> None:
    owner = guest.replace(guest.split("//")[1].split("@")[0], "postgres")
    open_queue(owner, IMPATIENT).close()
    with pytest.raises(QueueRefused, match=r"permission denied for table \w+: grant this role"):
        open_queue(guest, IMPATIENT)
    with pytest.raises(QueueRefused, match="permission denied"):
        read_figures(guest)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_is_not_in_utf8_is_refused(postgres: Postgres, encoding: str) -> None:
    url = postgres.create_database()
    name = url.rpartition("/")[2]
    run_sql(
        postgres.url("postgres"),
        f"DROP DATABASE {name}",
        f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    )
    for run in (open_queue, read_figures):
        with pytest.raises(QueueRefused, match=f"its encoding is {encoding}: make it with ENCODING 'UTF8'"):
            run(url)


@pytest.mark.parametrize("options", ["", "?prepare_threshold=0"])
def test_a_pool_in_transaction_mode_is_worked_through(
    postgres: Postgres, tmp_path: Path, options: str
) -> None:
    """Four workers share four server connections: no statement is prepared, and no setting outlives its
    transaction there.
    """
    name = postgres.create_database().rpartition("/")[2]
    with run_pgbouncer(postgres, tmp_path / "pool") as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/{name}{options}"
        with closing(open_queue(url)) as queue:
            add(queue, images=40, chunk_images=1)

        def work() -> None:
            with closing(open_queue(url)) as own:
                while (held := own.claim("w", "h", "stub", "stub", max_active=8)) is not None:
                    held = own.store(held, answers(held))
                    own.finish(held, Usage())

        with ThreadPoolExecutor(4) as pool:
            for ended in [pool.submit(work) for _ in range(4)]:
                ended.result()
        assert read_figures(url).chunks["done"] == 40
        with psycopg.connect(url.partition("?")[0], autocommit=True, prepare_threshold=None) as connection:
            for _ in range(8):
                assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
                assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
        with closing(Database(url, 1)) as database:
            asked = "SELECT current_setting('statement_timeout'), current_setting('enable_bitmapscan')"
            for run in (database.write, database.read):
                assert run(lambda connection: connection.exec_driver_sql(asked).one()) == ("1min", "off")


def test_a_direct_connection_keeps_its_settings(postgres: Postgres) -> None:
    with closing(Database(postgres.create_database(), 1)) as database:
        asked = "SELECT current_setting('statement_timeout'), current_setting('enable_bitmapscan')"
        for run in (database.write, database.read):
            assert run(lambda connection: connection.exec_driver_sql(asked).one()) == ("1min", "off")


def test_only_no_prepared_statements_can_be_asked_for(postgres: Postgres) -> None:
    with pytest.raises(QueueRefused, match="prepare_threshold: expected 0"):
        Database(f"{postgres.url('postgres')}?prepare_threshold=7", 1)


def test_a_standby_is_left_as_soon_as_the_name_leads_to_the_primary(postgres_pair: PostgresPair) -> None:
    """After a switchover the old primary, now read-only, answers for a while under the name."""
    pair = postgres_pair
    with closing(open_queue(pair.url, QueuePolicy(patience_s=60))) as queue:
        add(queue, images=2)
        held = claim(queue)
        pair.switch_over()
        with (
            closing(open_queue(pair.url, QueuePolicy(patience_s=0.2))) as impatient,
            pytest.raises(QueueUnavailable, match="read-only transaction"),
        ):
            impatient.maintain()
        back = threading.Timer(1.0, pair.follow)
        back.start()
        complete(queue, held)
        back.join()
        assert queue.outcome().is_complete
