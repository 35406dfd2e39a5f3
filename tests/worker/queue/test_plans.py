"""A claim reads the head of an index, however long the queue, on databases that never counted its rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from worker.queue import Queue
from worker.queue.claims import COUNT_ACTIVE, TAKE_CHUNK
from worker.queue.maintenance import EXPIRED

GIVEN = {
    "lease_s": 60.0,
    "of_model": "m",
    "by_worker": "w",
    "on_host": "h",
    "with_engine": "e",
    "has_memory_mb": 9,
    "has_cpus": 9,
}


def plan(queue: Queue, statement: Any) -> str:
    """The database's words for how it would do it."""

    def explain(connection: Connection) -> str:
        compiled = statement.compile(dialect=connection.dialect)
        values = {name: GIVEN.get(name, value) for name, value in compiled.params.items()}
        named = compiled.positiontup is None
        given: Any = values if named else tuple(values[name] for name in compiled.positiontup)
        word = "EXPLAIN" if named else "EXPLAIN QUERY PLAN"
        rows = connection.exec_driver_sql(f"{word} {compiled}", given)
        return "\n".join(str(row[-1]) for row in rows)

    return queue.database.write(explain)


def fill(queue: Queue) -> None:
    batch = queue.add_batch("b", "/data")
    for start in range(0, 2000, 500):
        queue.add_directories(batch, [(f"d{n}", ["i.png"]) for n in range(start, start + 500)], 500)


def test_a_claim_neither_sorts_nor_reads_all(queue: Queue) -> None:
    fill(queue)
    said = plan(queue, TAKE_CHUNK)
    assert "USING INDEX chunks_to_claim" in said or "Index Scan using chunks_to_claim" in said, said
    assert "TEMP B-TREE" not in said
    assert "Sort" not in said
    assert "Seq Scan" not in said


def test_active_chunks_are_found_by_their_own_index(queue: Queue) -> None:
    fill(queue)
    for statement in (COUNT_ACTIVE, EXPIRED):
        said = plan(queue, statement)
        assert "chunks_active" in said, said
