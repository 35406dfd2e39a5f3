"""What a host's workers did, and when a machine without work ends itself."""

from __future__ import annotations

import pytest

from worker.runner.worker_status import ChunkStatus, WorkerStatus
from worker.supervisor.activity import Activity, may_leave

WORKING = WorkerStatus(images_done=5, chunks=(ChunkStatus(1, 1, "c", 0, 10, ()),))


def test_only_time_with_a_chunk_counts_as_work_and_ended_workers_stay_counted() -> None:
    activity = Activity(100)
    activity.look(101, [WorkerStatus()])
    activity.look(103, [WORKING])
    activity.look(104, [WorkerStatus(images_done=7)])
    assert activity.figures(105, leaving=False) == {"images_done": 7, "busy_s": 2, "idle_s": 2, "leaving": 0}
    activity.ended(WorkerStatus(images_done=7))
    activity.look(106, [WORKING])
    assert activity.figures(106, leaving=True) == {"images_done": 12, "busy_s": 4, "idle_s": 0, "leaving": 1}


def test_chunks_given_up_are_counted_once_also_of_workers_that_ended() -> None:
    activity = Activity(100)
    activity.look(101, [WorkerStatus(chunks_failed=1), WorkerStatus(chunks_failed=2)])
    assert activity.chunks_failed == 3
    activity.ended(WorkerStatus(chunks_failed=2))
    assert activity.chunks_failed == 3
    activity.look(102, [WorkerStatus(chunks_failed=1)])
    assert activity.chunks_failed == 3


@pytest.mark.parametrize(
    ("idle_s", "leave_idle_s", "silent_s", "leaves"),
    [
        (1000, None, None, False),  # not asked to
        (899, 900, None, False),
        (900, 900, None, True),  # there never was a manager
        (900, 900, 5, False),  # it would end this machine if it wished to
        (900, 900, 900, True),
    ],
)
def test_a_machine_ends_itself_without_work_and_without_a_manager(
    idle_s: float, leave_idle_s: float | None, silent_s: float | None, leaves: bool
) -> None:
    assert may_leave(idle_s, leave_idle_s, silent_s) is leaves
