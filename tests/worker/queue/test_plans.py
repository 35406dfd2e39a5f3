"""A claim reads the head of an index, however long the queue, on databases that never counted its rows."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from tests.worker.queue.helpers import claim, complete
from worker.queue import Queue, ResultChoice
from worker.queue.chosen import first_keys
from worker.queue.claims import COUNT_ACTIVE, TAKE_CHUNK
from worker.queue.maintenance import EXPIRED
from worker.queue.results import IS_ONE_OF_THESE, NOTED_ROWS
from worker.review.choice import ResultFilter
from worker.review.reviewed import answers_of

GIVEN: dict[str, Any] = {
    "lease_s": 60.0,
    "of_model": "m",
    "by_worker": "w",
    "on_host": "h",
    "with_engine": "e",
    "has_memory_mb": 9,
    "has_cpus": 9,
    "keys": json.dumps([(1, number) for number in range(100)]),
}


def plan(queue: Queue, statement: Any) -> str:
    """The database's words for how it would do it."""

    def explain(connection: Connection) -> str:
        compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
        values = {name: GIVEN.get(name, value) for name, value in compiled.params.items()}
        named = compiled.positiontup is None
        given: Any = values if named else tuple(values[name] for name in compiled.positiontup)
        if named:  # or so few rows would be looked through
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
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


def test_results_are_found_by_how_sure_they_are_and_by_their_numbers(queue: Queue) -> None:
    """None is looked through for a few."""
    queue.add_directories(queue.add_batch("b", "/data"), [("d", [f"{n}.png" for n in range(2000)])], 500)
    for _ in range(4):
        complete(queue, claim(queue))
    is_postgresql = queue.database.engine.dialect.name == "postgresql"
    said = plan(queue, NOTED_ROWS.where(IS_ONE_OF_THESE))
    assert ("results_pkey" if is_postgresql else "SEARCH results USING PRIMARY KEY") in said, said
    assert " OR " not in said
    said = plan(queue, answers_of(1, ResultFilter(below=0.5, text="x"), [bytes(32)] * 500))
    assert "results_by_picture" in said, said
    assert "results_by_confidence" not in said, said
    said = plan(queue, first_keys(1, ResultChoice(below=0.5), 50))
    assert "results_by_confidence" in said, said
    assert "Sort" not in said
    assert "TEMP B-TREE" not in said
