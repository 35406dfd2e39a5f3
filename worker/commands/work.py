"""`work`: one worker process; `run` starts as many as the host carries."""

from __future__ import annotations

import click

from worker.decimer import open_recogniser
from worker.queue import StatedNeed
from worker.runner.runner import run_worker
from worker.runner.worker_status import WorkerStatusPage
from worker.settings import Settings


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
    room = StatedNeed(memory_mb, cpus)
    run_worker(name, host, parent, WorkerStatusPage(page), settings, open_recogniser, room)
