"""Many at the same time, on one database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.worker.queue.helpers import WHO, add, answers
from worker.queue import Claim, Queue, QueuePolicy, Usage, open_queue

AT_ONCE = 8


def together(queue_url: str, run: object) -> list[object]:
    """Each call with a queue of its own, as if it were another process."""

    def one(number: int) -> object:
        queue = open_queue(queue_url, QueuePolicy())
        try:
            return run(queue, number)  # type: ignore[operator]
        finally:
            queue.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def test_every_chunk_is_claimed_once(queue: Queue, queue_url: str) -> None:
    add(queue, images=150, chunk_images=1)

    def work(own: Queue, number: int) -> list[Claim]:
        done = []
        while (found := own.claim(**(WHO | {"worker": f"w{number}"}))) is not None:
            own.store(found, answers(found))
            own.finish(found, Usage())
            done.append(found)
        return done

    claims = [found for done in together(queue_url, work) for found in done]  # type: ignore[attr-defined]
    assert sorted(found.chunk for found in claims) == list(range(1, 151))
    assert {found.token for found in claims} == {1}
    assert len(list(queue.results())) == 150


def test_the_maximum_of_active_chunks_is_never_passed(queue: Queue, queue_url: str) -> None:
    add(queue, images=60, chunk_images=1)
    most = 0
    counting = threading.Lock()

    def work(own: Queue, number: int) -> None:
        nonlocal most
        for _ in range(20):
            found = own.claim(**WHO, max_active=3)
            with counting:
                most = max(most, queue.active_chunks())
            if found is not None:
                own.release(found, "next")

    together(queue_url, work)
    assert 1 <= most <= 3
    held = [queue.claim(**WHO, max_active=3) for _ in range(4)]
    assert [found is None for found in held] == [False, False, False, True]


def test_many_hosts_bring_an_empty_database_up_to_date_at_once(queue_url: str) -> None:
    assert together(queue_url, lambda own, number: own.outstanding().pending) == [0] * AT_ONCE
