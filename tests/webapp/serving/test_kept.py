"""What is kept of a source that many pages ask: one reading for all, faults too."""

from __future__ import annotations

import socket
import threading

import pytest

from webapp.serving.kept import FAULT_KEPT_S, KEPT_S, KEPT_TIMES, KeptFault, KeptReading
from worker.queue.statistics.queue import QueueError, read_figures


class Source:
    """Answers how often it was asked; takes `takes_s` by the clock, which is its own."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.now_s, self.takes_s, self.asked, self.fault = 100.0, takes_s, 0, False

    def clock(self) -> float:
        return self.now_s

    def read(self) -> int:
        self.asked += 1
        self.now_s += self.takes_s
        if self.fault:
            raise QueueError(f"fault {self.asked}")
        return self.asked


@pytest.mark.parametrize(("takes_s", "kept_s"), [(0.0, KEPT_S), (1.0, KEPT_TIMES * 1.0)])
def test_a_reading_is_kept_as_long_as_it_is_worth(takes_s: float, kept_s: float) -> None:
    source = Source(takes_s)
    kept: KeptReading[int] = KeptReading(QueueError, source.clock)
    assert kept.get("a", source.read) == 1
    source.now_s += kept_s - 0.1
    assert kept.get("a", source.read) == 1
    source.now_s += 0.2
    assert kept.get("a", source.read) == 2
    assert kept.get("b", source.read) == 3  # another source
    kept.forget()
    assert kept.get("b", source.read) == 4


def test_a_fault_is_kept_too_and_ends() -> None:
    source = Source()
    source.fault = True
    kept: KeptReading[int] = KeptReading(QueueError, source.clock)
    for _ in range(3):
        with pytest.raises(QueueError, match="fault 1"):
            kept.get("a", source.read)
    source.fault = False
    source.now_s += FAULT_KEPT_S + 0.1
    assert kept.get("a", source.read) == 2


def test_after_a_fault_one_tries_again_while_the_others_are_refused() -> None:
    source = Source()
    kept = KeptFault(source.clock)
    assert [kept.run("a", source.read, QueueError) for _ in range(2)] == [1, 2]  # nothing else is kept
    source.fault = True
    for _ in range(3):
        with pytest.raises(QueueError, match="fault 3"):
            kept.run("a", source.read, QueueError)
    assert kept.run("b", lambda: "read", QueueError) == "read"
    source.now_s += FAULT_KEPT_S + 0.1

    def meanwhile() -> int:
        with pytest.raises(QueueError, match="fault 3"):
            kept.run("a", source.read, QueueError)
        return 7

    assert kept.run("a", meanwhile, QueueError) == 7
    source.fault = False
    assert [kept.run("a", source.read, QueueError) for _ in range(2)] == [4, 5]


def test_a_database_that_does_not_answer_holds_up_all_pages_once() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        url = f"postgresql://page@127.0.0.1:{server.getsockname()[1]}/fleet"
        kept: KeptReading[object] = KeptReading(QueueError)
        asked: list[str] = []
        faults: list[str] = []

        def read() -> object:
            asked.append(url)
            return read_figures(url, patience_s=2)

        def ask() -> None:
            try:
                kept.get(url, read)
            except QueueError as error:
                faults.append(str(error))

        askers = [threading.Thread(target=ask) for _ in range(8)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    assert len(faults) == 8
    assert asked == [url]  # one waited for it, not each of them in turn
