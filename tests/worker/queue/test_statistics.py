"""The figures that status, collector and web app show."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from tests.worker.queue.helpers import LEASE_S, add, answers, claim, complete, drop_versions, let_pass
from worker.queue import DecisionNote, HostReport, Queue, QueueError, QueueTarget, Usage, open_queue
from worker.queue.chosen import choose_chunks
from worker.queue.database.connections import Database
from worker.queue.statistics.queue import read_figures

REPORT = HostReport(
    "vm1",
    "azure",
    2,
    1,
    71.5,
    60.0,
    123,
    {"price_per_hour": 0.36},
    ({"name": "w1", "pid": 7, "chunk": None},),
)


def test_counts_by_state_of_everything_and_of_each_batch(queue: Queue, queue_url: str) -> None:
    began_s = time.time()
    add(queue, "b1", 10, chunk_images=2, deadline=began_s + 2 * LEASE_S)
    done, failed, active = claim(queue), claim(queue), claim(queue)
    good, bad = answers(done)
    queue.store(done, [good, replace(bad, smiles=None, error="TruncatedImage: at byte 7")])
    queue.finish(done, Usage(cpu_s=2.5))
    queue.fail(failed, "StorageError: x")
    for _ in range(2):
        let_pass(queue, LEASE_S / 2)
        queue.renew(active)
        queue.fail(claim(queue), "StorageError: x")
    queue.store(active, answers(active, [active.images[0].number]))
    queue.cancel(QueueTarget(chunk=5))
    add(queue, "b2", 3, chunk_images=3)
    queue.pause(QueueTarget(batch="b2"))
    asked_s = time.time()
    shown = read_figures(queue_url)
    assert shown.chunks == {"pending": 2, "active": 1, "done": 1, "failed": 1, "cancelled": 1}
    assert shown.images == {"pending": 5, "active": 1, "done": 2, "failed": 3, "cancelled": 2}
    assert shown.paused == 1
    assert shown.failures == {"TruncatedImage": 1}
    assert shown.attempts == {"done": 1, "failed": 3}
    assert shown.deadlines == {"met": 1, "missed": 0, "open": 2}
    assert [(batch.name, batch.chunks["pending"], batch.images["done"]) for batch in shown.batches] == [
        ("b2", 1, 0), ("b1", 1, 2),
    ]  # fmt: skip
    assert [(chunk.id, chunk.images_done, chunk.images_total) for chunk in shown.active] == [
        (active.chunk, 1, 2)
    ]
    assert [(chunk.state, chunk.error) for chunk in shown.dead] == [("failed", "StorageError: x")]
    assert LEASE_S <= shown.oldest_pending_s <= LEASE_S + time.time() - began_s + 1
    assert shown.events[0].kind == "pause"
    assert asked_s - 1 <= shown.at <= time.time() + 1


def test_a_missed_deadline_is_counted_while_no_host_is_there_to_mark_it(queue: Queue, queue_url: str) -> None:
    began_s = time.time()
    add(queue, images=2, chunk_images=1, deadline=began_s + 100)
    add(queue, "later", images=1, deadline=began_s + 1000)
    let_pass(queue, 200)
    shown = read_figures(queue_url)
    assert shown.deadlines == {"met": 0, "missed": 2, "open": 1}
    assert [batch.missed for batch in shown.batches] == [0, 2]
    assert shown.next_deadline == pytest.approx(began_s + 800, abs=0.01)


def test_the_rate_is_that_of_the_last_minute(queue: Queue, queue_url: str) -> None:
    add(queue, images=40, chunk_images=20)
    queue.report_host(REPORT)
    assert read_figures(queue_url).images_per_s == 0
    began_s = time.monotonic()
    queue.maintain()
    complete(queue, claim(queue))
    let_pass(queue, 10)
    queue.maintain()
    took_s = 10 + time.monotonic() - began_s  # the database's own clock goes on too
    shown = read_figures(queue_url)
    assert 20 / took_s - 0.1 <= shown.images_per_s <= 20 / 10 + 0.1
    assert shown.eta_s == pytest.approx(20 / shown.images_per_s)
    assert shown.cost_per_1000_images == pytest.approx(0.36 / 3600 / shown.images_per_s * 1000)


def test_hosts_with_their_last_decisions(queue: Queue, queue_url: str) -> None:
    queue.report_host(replace(REPORT, workers=1))
    queue.report_host(REPORT)
    for cpu_pct in (80, 90):
        queue.note_decision(
            DecisionNote("vm1", "spawn", False, "cpu", {"cpu_pct": cpu_pct}, f"CPU {cpu_pct} %")
        )
    queue.note_decision(DecisionNote("vm1", "claim", True, "room"))
    queue.note_decision(DecisionNote("vm1", "spawn", True, "room"))
    queue.note_decision(DecisionNote("vm1", "spawn", False, "cpu", {"cpu_pct": 99}, "CPU 99 %"))
    shown = read_figures(queue_url)
    (host,) = shown.hosts
    assert (host.name, host.alive, host.workers, host.loading, host.cpu_pct) == ("vm1", True, 2, 1, 71.5)
    assert host.workers_detail[0]["pid"] == 7
    assert {last.subject: (last.text, last.times) for last in host.decisions} == {
        "spawn": ("CPU 99 %", 1),
        "claim": ("", 1),
    }
    assert [(note.reason, note.times, note.text) for note in shown.decisions][-1] == ("cpu", 2, "CPU 90 %")


def test_hosts_that_run_another_version_stand_out(queue: Queue, queue_url: str) -> None:
    """Compared is with the highest number, of that with the commit which most hosts have."""
    versions = ["0.9.0", "0.10.0+gb", "0.10.0+ga", "0.10.0+ga", "0.9.0", "0.9.0", "", "odd"]
    for number, version in enumerate([*versions, "0.11.0"]):
        queue.report_host(replace(REPORT, host=f"vm{number}", version=version))
    gone = "UPDATE hosts SET seen_at = seen_at - 1000 WHERE name = 'vm8'"
    queue.database.write(lambda connection: connection.execute(text(gone)))
    shown = read_figures(queue_url)
    assert [host.version for host in shown.hosts] == [*versions, "0.11.0"]
    assert list(shown.versions.items()) == [
        ("0.10.0+ga", 2),
        ("0.10.0+gb", 1),
        ("0.9.0", 3),
        ("odd", 1),
        ("", 1),
    ]
    queue.report_host(replace(REPORT, host="vm0", version="0.10.0+ga"))  # it was upgraded
    assert read_figures(queue_url).versions["0.10.0+ga"] == 3


def test_hosts_of_a_queue_that_does_not_know_versions_are_read(queue: Queue, queue_url: str) -> None:
    def go_back(connection: Connection) -> None:
        drop_versions(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '0008'"))

    queue.report_host(replace(REPORT, version="1.0"))
    queue.database.write(go_back)
    assert [(host.workers, host.version) for host in read_figures(queue_url).hosts] == [(2, "")]
    assert read_figures(queue_url).versions == {"": 1}
    open_queue(queue_url).close()
    with_default = text(
        "INSERT INTO hosts (name, seen_at, environment, workers, loading, cpu_pct, memory_pct, temp_bytes, "
        "figures, workers_detail) VALUES ('older', 9999999999, 'local', 1, 0, 1, 1, 1, '{}', '[]')"
    )  # as a supervisor writes that was started before the upgrade
    queue.database.write(lambda connection: connection.execute(with_default))
    queue.report_host(replace(REPORT, version="1.0"))
    assert {host.name: host.version for host in read_figures(queue_url).hosts} == {"vm1": "1.0", "older": ""}


def test_what_was_learned_of_an_engine(queue: Queue) -> None:
    add(queue, images=4, chunk_images=2)
    assert queue.usage_statistics("stub") is None
    complete(queue, claim(queue), cpu_s=10, wall_s=8, peak_memory_bytes=500)
    complete(queue, claim(queue), cpu_s=16, wall_s=12, peak_memory_bytes=400)
    needs = queue.usage_statistics("stub")
    assert needs is not None
    assert (needs.peak_memory_bytes, needs.cpus) == (500, 1.3)
    assert queue.usage_statistics("onnx") is None


def test_the_latest_results_are_those_of_active_and_ended_chunks_alike(queue: Queue, queue_url: str) -> None:
    add(queue, images=9, chunk_images=3)
    assert read_figures(queue_url, latest=5).latest == ()
    done, active, untouched = claim(queue), claim(queue), claim(queue)
    complete(queue, done)
    bad = replace(answers(active, [1])[0], smiles=None, tokens=(), confidences=(), error="TruncatedImage: x")
    for results in (answers(active, [0]), [bad]):
        time.sleep(0.01)
        active = queue.store(active, results)
    queue.renew(untouched)
    latest = read_figures(queue_url, latest=4).latest
    assert [(row.chunk, row.result.number) for row in latest] == [
        (active.chunk, 1), (active.chunk, 0), (done.chunk, 2), (done.chunk, 1),
    ]  # fmt: skip
    assert [row.result.error for row in latest[:2]] == ["TruncatedImage: x", None]
    assert (latest[1].image, latest[1].result.smiles, latest[1].host) == ("d/i3.png", "C0", "vm1")
    assert latest[1].result.confidences == (0.5, 0.25)
    assert read_figures(queue_url).latest == ()


def test_of_large_chunks_only_as_many_are_read_as_a_page_may_wait_for() -> None:
    assert choose_chunks([(7, 90_000), (8, 1)]) == [7]
    assert choose_chunks([(number, 500) for number in range(60)]) == list(range(40))


def test_a_reader_can_write_nothing(queue: Queue, queue_url: str) -> None:
    reader = Database(queue_url, 1, read_only=True)
    with pytest.raises((DBAPIError, QueueError), match=r"readonly|read-only|query_only"):
        reader.write(lambda connection: connection.execute(text("DELETE FROM events")))
    reader.close()


def test_no_queue_is_said_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(QueueError, match=r"nothing\.db: there is no such file"):
        read_figures(f"sqlite:///{tmp_path / 'nothing.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_a_queue_is_left_as_it_is(queue_url: str) -> None:
    database = Database(queue_url, 1)
    database.write(lambda connection: connection.execute(text("CREATE TABLE mine (x INTEGER)")))
    for ask in (read_figures, partial(open_queue, make=False)):
        with pytest.raises(QueueError, match="it holds no queue"):
            ask(queue_url)
    assert database.read(lambda connection: inspect(connection).get_table_names()) == ["mine"]
    database.close()
