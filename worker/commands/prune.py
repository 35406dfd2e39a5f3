"""`prune`: what is old leaves the queue."""

from __future__ import annotations

import math

import click

from worker.gate.limits import queue_policy
from worker.listing import UNIT_S
from worker.queue import open_queue
from worker.settings import Settings
from worker.storage import open_storage


@click.command()
@click.option("--days", type=click.FloatRange(min=0), help="Age in days; default: WORKER_KEEP_DAYS.")
@click.pass_obj
def command(settings: Settings, days: float | None) -> None:
    """Sweep stored files that no finished chunk counts, then delete batches that have been at an end for so
    long with their images and results, and old events, decisions and hosts. Result files that count stay.
    """
    if days is not None and not math.isfinite(days):
        raise click.BadParameter(f"{days} is no number of days", param_hint="--days")
    queue = open_queue(settings.queue_url, queue_policy(settings), make=False)
    storage = open_storage(settings.result_files_url, settings)
    swept = sum(storage.sweep(folder, keep) for folder, keep in queue.ended_files())
    age_s = (settings.keep_days if days is None else days) * UNIT_S["d"]
    deleted = queue.prune(age_s)
    told = ", ".join(f"{count} {table}" for table, count in sorted(deleted.items()) if count) or "nothing"
    click.echo(f"swept {swept} files; deleted {told}")
    storage.close()
    queue.close()
