"""When a worker counts as stalled, by its status page alone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from worker.runner.worker_status import ChunkStatus, WorkerStatus, WorkerStatusPage
from worker.supervisor.processes import WorkerProcess

AT_WORK = WorkerStatus(
    state="working", ready_s=10, progress_s=995, written_s=999.8, chunks=(ChunkStatus(1, 1, "c", 0, 5),)
)
IDLE = WorkerStatus(state="idle", ready_s=10, progress_s=20, written_s=999.8)


@pytest.mark.parametrize(
    ("status", "stalled_s"),
    [
        (AT_WORK, None),
        (replace(AT_WORK, progress_s=690), 310),
        (replace(AT_WORK, written_s=690), 310),
        (IDLE, None),
        (replace(IDLE, written_s=690), 310),
        (WorkerStatus(written_s=600), None),
    ],
    ids=["at work", "no image", "stopped", "idle", "stopped while it claims", "loading"],
)
def test_no_progress_is_told_from_no_work(status: WorkerStatus, stalled_s: float | None) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    page = WorkerStatusPage.create("test")
    try:
        worker = WorkerProcess("w", process, page, Path(os.devnull), started_s=5)
        assert worker.stall_s(status, now_s=1000, load_s=1800, most_s=300) == stalled_s
    finally:
        process.wait()
        page.close()
