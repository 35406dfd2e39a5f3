"""`cancel`: an operator gives work up."""

from __future__ import annotations

import click

from worker.queue import Queue
from worker.settings import Settings
from worker.targets import change, with_target


@click.command()
@with_target
@click.pass_obj
def command(settings: Settings, batch: str | None, chunk: int | None) -> None:
    """Give up what is not done of a BATCH or a chunk; a worker on it stops within a few seconds."""
    change(settings, batch, chunk, "cancelled", Queue.cancel)
