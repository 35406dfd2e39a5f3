"""Whatever workers, time, crashes and operators do: no chunk is ever held by two, and each image ends with
exactly one result, which never changes.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, select

from tests.services import short
from tests.services.postgres import Postgres
from tests.worker.queue.helpers import WHO, let_pass
from worker.queue import (
    Claim,
    LeaseLost,
    Queue,
    QueuePolicy,
    QueueRefused,
    QueueTarget,
    Result,
    Usage,
    open_queue,
)
from worker.queue.schema import batches, chunks, metadata

LEASE_S = 1000.0  # far longer than a test runs: time passes by `let_pass` alone
RULES = QueuePolicy(lease_s=LEASE_S, attempts=3, backoff_s=100, backoff_most_s=400)
WORKERS = ("w1", "w2", "w3")


@dataclass
class Holding:
    """A claim as its worker knows it; it may have been lost meanwhile."""

    claim: Claim
    age_s: float = 0  # since the last renewal
    over: bool = False  # given back, done, or taken away

    @property
    def held(self) -> bool:
        return not self.over and self.age_s < LEASE_S


class Fleet(RuleBasedStateMachine):
    queue: ClassVar[Queue]
    shrinks: ClassVar[bool]  # a failing example, which takes long where transactions do

    def __init__(self) -> None:
        super().__init__()
        self.queue.database.write(
            lambda connection: [
                connection.execute(delete(table)) for table in reversed(metadata.sorted_tables)
            ]
        )
        self.holdings: list[Holding] = []
        self.seen: dict[tuple[int, int], str | None] = {}
        self.images = 0
        self.batches: set[str] = set()

    # the queue fills

    @initialize()
    def begin(self) -> None:
        self.enqueue("b1", 7)

    @rule(name=st.sampled_from(["b1", "b2"]), images=st.integers(1, 12))
    def enqueue(self, name: str, images: int) -> None:
        batch = self.queue.add_batch(name, "/data")
        self.batches.add(name)
        self.images += self.queue.add_directories(
            batch, [("d", [f"{n}.png" for n in range(images)])], 4
        ).images

    # workers

    @rule(worker=st.sampled_from(WORKERS))
    def claim(self, worker: str) -> None:
        found = self.queue.claim(**(WHO | {"worker": worker}))
        if found is None:
            return
        others = [holding for holding in self.holdings if holding.claim.chunk == found.chunk]
        assert not any(holding.held for holding in others), "held by two"
        assert all(holding.claim.token < found.token for holding in others), "a token came twice"
        for holding in others:
            holding.over = True
        self.holdings.append(Holding(found))

    @precondition(lambda self: self.holdings)
    @rule(data=st.data())
    def store(self, data: st.DataObject) -> None:
        holding = data.draw(st.sampled_from(self.holdings))
        numbers = data.draw(st.sets(st.integers(0, holding.claim.images_total - 1)))
        error = data.draw(st.sampled_from([None, None, "TruncatedImage: x"]))
        text = f"by {holding.claim.token}"
        found = [Result(number, None if error else text, error=error) for number in sorted(numbers)]
        self.write(holding, lambda: self.queue.store(holding.claim, found))

    @precondition(lambda self: self.holdings)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        holding = data.draw(st.sampled_from(self.holdings))
        if self.remaining(holding.claim.chunk) == 0:
            was_done = holding.over
            try:
                self.queue.finish(holding.claim, Usage())
            except LeaseLost:
                assert not holding.held
            else:
                assert holding.held or was_done
            holding.over = True
        elif holding.held:
            missing = self.queue.stored(holding.claim)
            numbers = set(range(holding.claim.images_total)) - {row.result.number for row in missing}
            self.queue.store(holding.claim, [Result(number, "late") for number in numbers])
            self.queue.finish(holding.claim, Usage())
            holding.over = True

    @precondition(lambda self: self.holdings)
    @rule(data=st.data(), how=st.sampled_from(["release", "fail"]))
    def give_back(self, data: st.DataObject, how: str) -> None:
        holding = data.draw(st.sampled_from(self.holdings))
        getattr(self.queue, how)(holding.claim, "reason")
        holding.over = True

    @precondition(lambda self: self.holdings)
    @rule(data=st.data(), is_cause=st.booleans())
    def crash(self, data: st.DataObject, is_cause: bool) -> None:
        holding = data.draw(st.sampled_from(self.holdings))
        flying = data.draw(st.sets(st.integers(0, holding.claim.images_total - 1), max_size=2))
        self.queue.crash(holding.claim.chunk, holding.claim.token, sorted(flying), "SIGSEGV", is_cause)
        holding.over = True

    # time and operators

    @rule(seconds=st.sampled_from([10.0, 150.0, 600.0, LEASE_S]))
    def time_passes(self, seconds: float) -> None:
        let_pass(self.queue, seconds)
        for holding in self.holdings:
            holding.age_s += seconds

    @rule()
    def maintain(self) -> None:
        self.queue.maintain()
        for holding in self.holdings:
            holding.over = holding.over or holding.age_s >= LEASE_S

    @rule(what=st.sampled_from(["pause", "resume", "cancel", "retry"]))
    def operate(self, what: str) -> None:
        self.operate_on("b1", what)
        if what == "cancel":
            for holding in self.holdings:
                holding.over = holding.over or holding.claim.batch == "b1"

    def operate_on(self, batch: str, what: str) -> None:
        """Only what is done may be refused."""
        try:
            getattr(self.queue, what)(QueueTarget(batch=batch))
        except QueueRefused:
            states = (
                select(chunks.c.state).join(batches, batches.c.id == chunks.c.batch_id)
                .where(batches.c.name == batch)
            )  # fmt: skip
            assert set(self.queue.database.read(lambda c: c.execute(states).scalars().all())) == {"done"}

    # what must hold

    @invariant()
    def results_are_one_an_image_and_final(self) -> None:
        found = {(row.chunk, row.result.number): row.result.smiles for row in self.queue.results()}
        counts = self.queue.database.read(
            lambda c: c.execute(select(chunks.c.id, chunks.c.images_done)).all()
        )
        assert sum(count for _, count in counts) == len(found) <= self.images
        per_chunk = Counter(chunk for chunk, _ in found)
        assert all(per_chunk[chunk] == count for chunk, count in counts)
        assert self.seen.items() <= found.items(), "a result changed"
        self.seen = found

    def teardown(self) -> None:
        """Everything can be brought to its end."""
        let_pass(self.queue, LEASE_S)  # of the longest backoffs too
        self.queue.maintain()
        for batch in self.batches:
            self.operate_on(batch, "resume")
            self.queue.retry(QueueTarget(batch=batch))
        while (found := self.queue.claim(**WHO)) is not None:
            self.queue.store(found, [Result(image.number, "end") for image in found.images])
            self.queue.finish(found, Usage())
        self.results_are_one_an_image_and_final()
        assert len(self.seen) == self.images

    # helpers

    def write(self, holding: Holding, run: Any) -> None:
        if holding.held:
            holding.claim = run()
            holding.age_s = 0
        else:
            with pytest.raises(LeaseLost):
                run()

    def remaining(self, chunk: int) -> int:
        query = select(chunks.c.images_total - chunks.c.images_done).where(chunks.c.id == chunk)
        return int(self.queue.database.read(lambda connection: connection.execute(query).scalar_one()))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def fleet(request: pytest.FixtureRequest) -> Iterator[type[Fleet]]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'queue.db'}"
        if request.param == "postgresql":
            server: Postgres = request.getfixturevalue("postgres")
            url = server.empty_database()
        queue = open_queue(url, RULES)
        yield type("Fleet", (Fleet,), {"queue": queue, "shrinks": request.param == "sqlite"})
        queue.close()


def run(fleet: type[Fleet], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        fleet,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[Phase.generate, Phase.shrink] if fleet.shrinks else [Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_no_chunk_is_held_by_two_and_each_image_has_one_result(fleet: type[Fleet]) -> None:
    run(fleet, examples=short.examples(20), steps=25)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_chunk_is_held_by_two_and_each_image_has_one_result_for_long(fleet: type[Fleet]) -> None:
    run(fleet, examples=400, steps=60)
