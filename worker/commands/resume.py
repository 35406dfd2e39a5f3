"""`resume`: an operator lets go what was paused."""

from __future__ import annotations

import click

from worker.queue import Queue
from worker.settings import Settings
from worker.targets import change, with_target


@click.command()
@with_target
@click.pass_obj
def command(settings: Settings, batch: str | None, chunk: int | None) -> None:
    """Let workers take the chunks of a paused BATCH (or the chunk) again."""
    change(settings, batch, chunk, "resumed", Queue.resume)
