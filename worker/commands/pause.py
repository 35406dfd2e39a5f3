"""`pause`: an operator holds work back."""

from __future__ import annotations

import click

from worker.queue import Queue
from worker.settings import Settings
from worker.targets import change, with_target


@click.command()
@with_target
@click.pass_obj
def command(settings: Settings, batch: str | None, chunk: int | None) -> None:
    """Let no worker take more chunks of a BATCH (or the chunk); those being worked on are finished."""
    change(settings, batch, chunk, "paused", Queue.pause)
