"""What is old or left over goes: by `prune` from the queue and its storage, by `sweep` from this host."""

from __future__ import annotations

import math
import sys

import click

from cloud_monitor.system.text import counted
from worker.errors import WorkerError
from worker.gate.limits import command_policy
from worker.gate.temporary import sweep_temp
from worker.queue import open_queue
from worker.queue.maintenance import OldBatch
from worker.review.kept_files import kept_files
from worker.settings import Settings
from worker.storage import open_storage

DAY_S = 86_400


@click.command()
@click.option("--days", type=click.FloatRange(min=0), help="Age in days; default: WORKER_KEEP_DAYS.")
@click.option("--yes", is_flag=True, help="Delete batches without asking.")
@click.pass_obj
def prune(settings: Settings, days: float | None, yes: bool) -> None:
    """Sweep stored files that no finished chunk counts, then delete batches that have been at an end for so
    long with their images, results and thumbnails, and old events, decisions and hosts. Result files that
    count stay.
    Batches are named before, with what was never exported, and deleted when you say so or with --yes.
    """
    if days is not None and not math.isfinite(days):
        raise click.BadParameter(f"{days} is no number of days", param_hint="--days")
    queue = open_queue(settings.queue_url, command_policy(settings), make=False)
    age_s = (settings.keep_days if days is None else days) * DAY_S
    confirm(queue.old_batches(age_s), yes)
    storage = open_storage(settings.result_files_url, settings)
    swept = sum(storage.sweep(folder, keep) for folder, keep in kept_files(queue.database, age_s))
    deleted = queue.prune(age_s)
    told = ", ".join(f"{count} {table}" for table, count in sorted(deleted.items()) if count) or "nothing"
    click.echo(f"swept {swept} files; deleted {told}")
    storage.close()
    queue.close()


def confirm(old: list[OldBatch], yes: bool) -> None:
    """Raises WorkerError where batches would be deleted and nobody has said that they may."""
    for batch in old:
        note = "" if batch.exported or not batch.results else ", NEVER EXPORTED since it ended"
        click.echo(f"batch {batch.name}: {batch.results:,} results{note}", err=True)
    if not old or yes:
        return
    what = f"delete {counted(len(old), 'batch', 'batches')} with all results in the queue"
    if not sys.stdin.isatty():
        raise WorkerError(f"nothing was deleted: say --yes to {what}")
    if not click.confirm(f"{what[0].upper()}{what[1:]}?", err=True):
        raise WorkerError("nothing was deleted")


@click.command()
@click.pass_obj
def sweep(settings: Settings) -> None:
    """Remove the temporary folders on this host of workers that are gone; never one of a worker that lives.
    A running supervisor does so by itself; this is for a host without one, and for alerts.
    """
    try:
        swept = sweep_temp(settings.temp_dir)
    except OSError as error:
        raise WorkerError(f"WORKER_TEMP_DIR={settings.temp_dir}: {error.strerror}") from None
    for name in swept:
        click.echo(name)
    click.echo(f"removed {counted(len(swept), 'folder')} below {settings.temp_dir}")
