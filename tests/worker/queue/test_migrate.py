"""The steps lead to exactly the tables the code uses, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

import worker.queue
from worker.queue import Queue, QueueRefused, open_queue
from worker.queue.schema import REVISION, metadata
from worker.queue.statistics import read_figures

MIGRATIONS = Path(worker.queue.__file__).parent / "migrations"


def test_the_steps_lead_to_the_tables_of_the_code(queue: Queue) -> None:
    def differences(connection: object) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})  # type: ignore[arg-type]
        return list(compare_metadata(context, metadata))

    assert queue.database.read(differences) == []


def test_the_code_knows_the_newest_step() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION


def test_a_newer_schema_is_refused(queue: Queue, queue_url: str) -> None:
    queue.database.write(
        lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    )
    with pytest.raises(QueueRefused, match="schema 9999 is newer"):
        open_queue(queue_url)
    assert read_figures(queue_url).chunks["pending"] == 0, "who only reads goes on"


def test_a_queue_of_the_first_schema_is_read_as_it_is(queue: Queue, queue_url: str) -> None:
    def go_back(connection: Connection) -> None:
        for table in ("machines", "machine_groups", "machine_wishes", "manager_lease"):
            connection.execute(text(f"DROP TABLE {table}"))
        for table in ("batches", "chunks"):
            for column in ("memory_mb", "cpus"):
                connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))

    queue.database.write(go_back)
    assert read_figures(queue_url).chunks["pending"] == 0
    open_queue(queue_url).close()
    assert read_figures(queue_url).chunks["pending"] == 0
