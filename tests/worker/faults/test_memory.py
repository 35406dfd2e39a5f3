"""Workers that leak inside a real control group: they leave in order, or the kernel's OOM kill is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.cgroups import memory_group
from tests.worker.faults.faulty_worker import LEAK_BYTES
from tests.worker.fleet import FAULTY_RUN, Fleet

LIMIT_BYTES = 400_000_000
LEAKS = 22  # in all more than the limit


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, environment={"WORKER_MAX_WORKERS": "1"})
    fleet.add_images("a", [b"leak"] * LEAKS)
    fleet.enqueue(chunk_images=LEAKS)
    yield fleet
    fleet.stop()


def test_a_leaking_worker_leaves_in_order(fleet: Fleet) -> None:
    assert LEAKS * LEAK_BYTES > LIMIT_BYTES
    with memory_group(LIMIT_BYTES) as group:
        supervisor = fleet.start(
            group.command(*FAULTY_RUN), WORKER_WORKER_MEMORY_LIMIT_MB="200", WORKER_STUB_S="0.15"
        )
        assert fleet.wait(supervisor) == 0, fleet.said()
        assert group.oom_kills == 0, fleet.said()
    fleet.check_all_once()
    assert fleet.has_said("left in order: its memory is at")
    assert not fleet.has_said("quarantined")


def test_an_oom_kill_is_named_and_its_images_are_done_alone(fleet: Fleet) -> None:
    with memory_group(LIMIT_BYTES) as group:
        supervisor = fleet.start(group.command(*FAULTY_RUN), WORKER_WORKER_MEMORY_LIMIT_MB="100000")
        assert fleet.wait(supervisor) == 0, fleet.said()
        assert group.oom_kills > 0
    fleet.check_all_once()
    assert fleet.has_said("was killed by the kernel because memory ran out (OOM)")


@pytest.mark.soak
def test_a_worker_is_drained_when_memory_passes_the_high_mark(fleet: Fleet) -> None:
    with memory_group(LIMIT_BYTES) as group:
        supervisor = fleet.start(
            group.command(*FAULTY_RUN),
            WORKER_MEMORY_THRESHOLD_PCT="60",
            WORKER_MEMORY_DRAIN_PCT="65",
            WORKER_COOLDOWN_S="0.5",
            WORKER_WORKER_MEMORY_MB="100",
            WORKER_WORKER_MEMORY_LIMIT_MB="100000",
            WORKER_STUB_S="0.2",
        )
        assert fleet.wait(supervisor) == 0, fleet.said()
        assert group.oom_kills == 0, fleet.said()
    fleet.check_all_once()
    assert fleet.has_said("drained: memory is at")
