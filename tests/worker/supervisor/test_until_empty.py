"""How `run --until-empty` ends, and what it says of what is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.fleet import ROOT, RUN, Fleet
from worker.__main__ import Commands
from worker.__main__ import main as worker_main
from worker.exit_codes import EXIT_CODES, exit_codes_table, exit_codes_text
from worker.queue import QueueTarget, StatedNeed
from worker.queue.statistics.outcome import Outcome, finished_text
from worker.queue.statistics.queue import read_figures


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, environment={"WORKER_MAX_WORKERS": "1", "WORKER_STUB_S": "0.001"})
    yield fleet
    fleet.stop()


def test_the_exit_code_tells_whether_every_image_has_its_answer(fleet: Fleet) -> None:
    fleet.add_images("a", [bytes(number + 1) for number in range(4)])
    fleet.enqueue()
    (fleet.images / "a/00002.png").unlink()
    assert fleet.wait(fleet.start(RUN, WORKER_DOUBTFUL_BELOW="0.35")) == 0, fleet.said()
    assert read_figures(fleet.database_url).doubtful_below == 0.35, "the host tells what it has set"
    assert "4 of 4 images finished: 3 recognised, 1 with an error (1 " in fleet.said()
    queue = fleet.queue()
    for name, model in (("held", None), ("stopped", None), ("foreign", "decimer-0"), ("broken", None)):
        batch = queue.add_batch(name, fleet.source, model=model)
        queue.add_directories(batch, [("a", ["00000.png", "00001.png"])], 5)
    queue.pause(QueueTarget("held"))
    queue.cancel(QueueTarget("stopped"))
    for _ in range(queue.policy.attempts):
        held = queue.claim("w", "h", "stub", "stub")
        assert held is not None
        queue.fail(held, "StorageError: away")
        queue.database.write(lambda one: one.exec_driver_sql("UPDATE chunks SET not_before = 0"))
    queue.close()
    assert fleet.wait(fleet.start(RUN)) == 1, fleet.said()
    said = (fleet.folder / "supervisor-1.log").read_text()
    for words in (
        "not for workers of here: 1 chunks are paused, 1 ask for another model",
        "4 of 12 images finished",
        "batch held: 2 images not done: paused",
        "batch stopped: 2 images not done: cancelled",
        "batch foreign: 2 images not done: asks for the model decimer-0, which no worker here has (stub)",
        "batch broken: 2 images not done: given up",
    ):
        assert words in said
    assert fleet.wait(fleet.start((*RUN, "--any-outcome"))) == 0


def test_an_allotment_too_small_for_any_worker_ends_the_supervisor(fleet: Fleet) -> None:
    fleet.add_images("a", [b"x"])
    fleet.enqueue()
    assert fleet.wait(fleet.start(RUN, WORKER_MEMORY_MB="20")) == 1, fleet.said()
    assert (
        "error: a worker needs 100 MB; the allotment is 20 MB in all: raise WORKER_MEMORY_MB" in fleet.said()
    )


def test_finished_is_not_recognised() -> None:
    text = finished_text(400, 340, {"WorkerCrash": 10, "BlankImage": 50})
    assert text == (
        "400 of 400 images finished: 340 recognised, 60 with an error (50 BlankImage, 10 WorkerCrash)"
    )
    assert Outcome(2, 1, {"BlankImage": 1}).is_complete
    assert not Outcome(2, 1, {"NoAnswer": 1}).is_complete, "no image's own fault"


def test_help_and_documents_have_the_exit_codes() -> None:
    assert exit_codes_table() in (ROOT / "docs/operations.md").read_text()
    assert isinstance(worker_main, Commands)
    names = worker_main.list_commands(
        worker_main.make_context("worker", ["--version"], resilient_parsing=True)
    )
    assert set(EXIT_CODES) <= set(names)
    for name in names:
        command = worker_main.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert command.epilog == exit_codes_text(name)
        assert "2 settings or options refused" in exit_codes_text(name)


def test_a_batch_that_states_its_need_is_done_by_a_worker_of_that_size_or_left(fleet: Fleet) -> None:
    fleet.add_images("a", [b"x", b"y"])
    queue = fleet.queue()
    for name, memory_mb in (("fitting", 400), ("vast", 4_000)):
        batch = queue.add_batch(name, fleet.source, need=StatedNeed(memory_mb))
        queue.add_directories(batch, [("a", ["00000.png", "00001.png"])], 5)
    assert fleet.wait(fleet.start(RUN, WORKER_MEMORY_MB="500")) == 1, fleet.said()
    done = queue.outcome("stub")
    assert (done.total, done.recognised) == (4, 2), fleet.said()
    assert any(
        "leaves: 1 chunks wait whose workers need 4,000 MB each; this host has 500 MB" in event.message
        for event in read_figures(fleet.database_url).events
    )
    queue.close()
