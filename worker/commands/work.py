"""`work`: one worker process; `run` starts as many as the host carries."""

from __future__ import annotations

from collections.abc import Callable

import click

from worker.decimer import open_recogniser
from worker.queue import StatedNeed
from worker.recognition import Recogniser
from worker.runner.runner import run_worker
from worker.runner.worker_status import WorkerStatusPage
from worker.settings import RunnerSettings, Settings

Run = Callable[[Settings, str, str, int, WorkerStatusPage, StatedNeed], None]


def worker_command(run: Run) -> click.Command:
    """What a supervisor can start as a worker: `run` is called with the settings, its name, its host's, the
    supervisor's process number, the status page and the room that it has.
    """

    @click.command(hidden=True)
    @click.option("--name", required=True)
    @click.option("--host", required=True)
    @click.option("--parent", required=True, type=int, help="Process number of the supervisor.")
    @click.option("--page", required=True, type=int, help="Descriptor of the status page.")
    @click.option("--memory-mb", type=int, help="Take no chunk of a batch that needs more; unset: any.")
    @click.option("--cpus", type=float)
    @click.pass_obj
    def command(
        settings: Settings,
        name: str,
        host: str,
        parent: int,
        page: int,
        memory_mb: int | None,
        cpus: float | None,
    ) -> None:
        """One worker process, started by `run`."""
        run(settings, name, host, parent, WorkerStatusPage(page), StatedNeed(memory_mb, cpus))

    return command


def recognise_with(make: Callable[[RunnerSettings], Recogniser]) -> Run:
    """A worker that works with the recogniser of `make`."""
    return lambda settings, name, host, parent, page, room: run_worker(
        name, host, parent, page, settings, make, room
    )


command = worker_command(recognise_with(open_recogniser))
