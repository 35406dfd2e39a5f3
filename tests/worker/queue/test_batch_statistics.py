"""What a batch took: claims, time, memory, and its part of what its machines cost while they had work."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from tests.worker.queue.helpers import add, claim, complete
from worker.queue import HostReport, Queue
from worker.queue.schema import attempts
from worker.queue.statistics.batches import read_batch_histories

PRICED, DEAR, FREE = "vm1", "vm2", "vm3"
AT = 1_000_000.0


def report(queue: Queue, host: str, price: float | None) -> None:
    figures = {} if price is None else {"price_per_hour": price}
    queue.report_host(HostReport(host, "azure", 1, 0, 50.0, 50.0, 0, figures))


def set_times(queue: Queue, *spans: tuple[float, float | None]) -> None:
    """When each attempt, in the order of the claims, was claimed and ended, in hours."""

    def write(connection: Any) -> None:
        keys = connection.execute(
            select(attempts.c.chunk_id, attempts.c.token).order_by(attempts.c.token, attempts.c.chunk_id)
        ).all()
        for (chunk, token), (begun, ended) in zip(keys, spans, strict=True):
            connection.execute(
                update(attempts)
                .where(attempts.c.chunk_id == chunk, attempts.c.token == token)
                .values(claimed_at=AT + 3600 * begun, ended_at=None if ended is None else AT + 3600 * ended)
            )

    queue.database.write(write)


@pytest.fixture
def two_batches(queue: Queue) -> Queue:
    """`a` of three chunks on two hosts, `b` of one on the first; all done."""
    add(queue, "a", 6, chunk_images=2)
    add(queue, "b", 2, chunk_images=2)
    for host in (PRICED, PRICED, DEAR, PRICED):
        complete(queue, claim(queue, host=host), cpu_s=1.0, wall_s=4.0, peak_memory_bytes=7_000_000)
    return queue


def test_a_moment_of_a_machine_is_paid_once(two_batches: Queue, queue_url: str) -> None:
    """vm1 has work from hour 0 to 3, of which `a` held three hours and `b` two."""
    report(two_batches, PRICED, 2.0)
    report(two_batches, DEAR, 10.0)
    set_times(two_batches, (0, 2), (2, 3), (0, 0.5), (1, 3))
    found = read_batch_histories(queue_url, ["a", "b", "none"])
    assert {name: (one.cost, one.is_cost_whole) for name, one in found.items()} == {
        "a": (pytest.approx(2.0 * 3 * 3 / 5 + 5.0), True),
        "b": (pytest.approx(2.0 * 3 * 2 / 5), True),
    }
    set_times(two_batches, (0, 2), (2, 3), (0, 0.5), (5, 6))  # idle between
    found = read_batch_histories(queue_url, ["a", "b"])
    assert (found["a"].cost, found["b"].cost) == (pytest.approx(6.0 + 5.0), pytest.approx(2.0))


def test_what_has_no_price_is_told(two_batches: Queue, queue_url: str) -> None:
    assert read_batch_histories(queue_url, ["a"])["a"].cost is None
    report(two_batches, DEAR, 10.0)
    report(two_batches, FREE, None)
    set_times(two_batches, (0, 2), (2, 3), (0, 0.5), (1, 3))
    found = read_batch_histories(queue_url, ["a", "b"])
    assert (found["a"].cost, found["a"].is_cost_whole) == (5.0, False)
    assert (found["b"].cost, found["b"].is_cost_whole) == (0.0, False)


def test_claims_and_what_they_took(queue: Queue, queue_url: str) -> None:
    add(queue, "a", 4, chunk_images=2)
    add(queue, "new", 2)
    queue.release(claim(queue), "leaves", None)
    again = claim(queue)
    set_times(queue, (0, 1), (1, None))
    found = read_batch_histories(queue_url, ["a", "new"])
    one = found["a"]
    assert (one.attempts, one.retries, one.first_claimed_at) == (2, 1, AT)
    assert (found["new"].attempts, found["new"].retries, found["new"].first_claimed_at) == (0, 0, None)
    complete(queue, again, cpu_s=1.0, wall_s=4.0, peak_memory_bytes=7_000_000)
    one = read_batch_histories(queue_url, ["a"])["a"]
    assert (one.wall_s, one.peak_memory_bytes, one.with_error) == (4.0, 7_000_000, 0)


def test_an_open_claim_is_reckoned_to_now(queue: Queue, queue_url: str) -> None:
    add(queue, "a", 2)
    claim(queue)
    report(queue, PRICED, 3600.0)
    queue.database.write(
        lambda connection: connection.execute(update(attempts).values(claimed_at=attempts.c.claimed_at - 100))
    )
    cost = read_batch_histories(queue_url, ["a"])["a"].cost
    assert cost is not None
    assert 100 <= cost <= 160
