"""The steps lead to exactly the tables the code uses, on both databases."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text

import worker.queue
from tests.worker.queue.helpers import add, claim, complete, drop_confidence, drop_pages
from worker.queue import Queue, QueueRefused, Result, ResultChoice, Usage, open_queue
from worker.queue.database.migrate import PIECE, read_revision
from worker.queue.schema import REVISION, metadata, results
from worker.queue.statistics.queue import read_figures

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


def test_a_queue_of_the_first_schema_is_read_as_it_is(
    queue: Queue, queue_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def go_back(connection: Connection) -> None:
        for table in ("machines", "machine_groups", "machine_wishes", "manager_lease"):
            connection.execute(text(f"DROP TABLE {table}"))
        for table in ("batches", "chunks"):
            for column in ("memory_mb", "cpus"):
                connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        drop_confidence(connection)
        drop_pages(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))

    add(queue, images=3)
    queue.database.write(go_back)
    before = read_figures(queue_url).images["pending"]
    assert before == 3
    open_queue(queue_url).close()
    assert read_figures(queue_url).images["pending"] == before
    assert f"brought from schema 0001 to {REVISION}" in caplog.text
    if queue_url.startswith("sqlite"):
        copy = f"{queue_url}.before-{REVISION}"
        assert f"is kept in {copy.removeprefix('sqlite:///')}" in caplog.text
        assert read_figures(copy).images["pending"] == before
        with closing(sqlite3.connect(copy.removeprefix("sqlite:///"))) as old:
            assert old.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


def test_without_room_for_a_copy_an_older_queue_stays_as_it_is(queue: Queue, queue_url: str) -> None:
    def go_back(connection: Connection) -> None:
        drop_confidence(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))

    if not queue_url.startswith("sqlite"):
        pytest.skip("PostgreSQL's dumps are its administrator's")
    queue.database.write(go_back)
    file = Path(queue_url.removeprefix("sqlite:///"))
    being_made = file.parent / f"{file.name}.before-{REVISION}.{os.getpid()}"
    being_made.symlink_to("/nowhere/to/write")
    with pytest.raises(QueueRefused, match=r"no copy can be kept in .*: make room there"):
        open_queue(queue_url)
    assert queue.database.read(read_revision) == "0003"


def test_results_of_the_schema_before_are_filled_in_pieces(queue: Queue, queue_url: str) -> None:
    count = PIECE + 2
    add(queue, images=count, chunk_images=count)
    held = claim(queue)
    answers = [Result(number, "C", ("C", "C"), (0.5, 0.25)) for number in range(count - 2)]
    lead = Result(count - 2, "C[Pb]", ("C", "[", "Pb", "]"), (0.75, 0.5, 1.0, 1.0))
    error = Result(count - 1, None, error="BlankImage: one colour all over")
    queue.finish(queue.store(held, [*answers, lead, error]), Usage())

    def go_back(connection: Connection) -> None:
        drop_confidence(connection)
        drop_pages(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))

    queue.database.write(go_back)
    assert read_figures(queue_url, latest=1).latest[0].result.notes == ()
    assert read_figures(queue_url).batches[0].doubtful == 0, "not known yet"
    open_queue(queue_url).close()
    columns = (results.c.batch_id, results.c.least_confidence, results.c.mean_confidence, results.c.notes)
    filled = queue.database.read(
        lambda connection: [tuple(row) for row in connection.execute(select(*columns))]
    )
    note = '{"lead_for_phenyl":"1 x [Pb], which `Ph` is read as"}'
    assert sorted(filled, key=str) == sorted(
        [*[(1, 0.25, 0.375, None)] * (count - 2), (1, 0.5, 0.8125, note), (1, None, None, None)], key=str
    )
    figures = read_figures(queue_url, latest=count)
    assert figures.batches[0].doubtful == count - 1
    assert [len(row.result.notes) for row in figures.latest if row.result.number == count - 2] == [1]


def test_what_an_earlier_program_stores_meanwhile_is_filled_by_maintenance(
    queue: Queue, queue_url: str
) -> None:
    add(queue, images=1)
    complete(queue, claim(queue))
    forgotten = text("UPDATE results SET batch_id = NULL, least_confidence = NULL, mean_confidence = NULL")
    queue.database.write(lambda connection: connection.execute(forgotten))
    assert read_figures(queue_url).batches[0].doubtful == 0
    queue.maintain()
    assert read_figures(queue_url).batches[0].doubtful == 1


def test_who_asks_for_doubtful_results_gets_those_that_were_not_filled_yet(queue: Queue) -> None:
    """A host that brought the queue up to date may have been stopped on its way."""
    add(queue, images=2)
    complete(queue, claim(queue))
    forgotten = text("UPDATE results SET batch_id = NULL, least_confidence = NULL, mean_confidence = NULL")
    queue.database.write(lambda connection: connection.execute(forgotten))
    assert len(list(queue.chosen_results(None, ResultChoice(below=0.5)))) == 2
