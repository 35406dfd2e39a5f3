"""What an operator does to a batch, or to a chunk by its number: `cancel`, `pause`, `resume`, `retry`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from worker.gate.limits import queue_policy
from worker.queue import Queue, QueueTarget, open_queue
from worker.settings import QueueSettings, Settings

_TARGET_OPTIONS = [
    click.argument("batch", required=False),
    click.option("--chunk", type=int, help="Only this chunk, by its number (in `status` and on /fleet)."),
]


def _with_target(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the argument BATCH and the option --chunk."""
    for option in reversed(_TARGET_OPTIONS):
        function = option(function)
    return function


def _change(
    settings: QueueSettings,
    batch: str | None,
    chunk: int | None,
    what: str,
    run: Callable[[Queue, QueueTarget], int],
) -> None:
    """Runs it on the target and says how many chunks it changed."""
    if batch is None and chunk is None:
        raise click.UsageError("name a batch, or a chunk with --chunk")
    queue = open_queue(settings.queue_url, queue_policy(settings), make=False)
    try:
        changed = run(queue, QueueTarget(batch, chunk))
    finally:
        queue.close()
    click.echo(f"{what} {changed} {'chunk' if changed == 1 else 'chunks'}")


@click.command()
@_with_target
@click.pass_obj
def cancel(settings: Settings, batch: str | None, chunk: int | None) -> None:
    """Give up what is not done of a BATCH or a chunk; a worker on it stops within a few seconds."""
    _change(settings, batch, chunk, "cancelled", Queue.cancel)


@click.command()
@_with_target
@click.pass_obj
def pause(settings: Settings, batch: str | None, chunk: int | None) -> None:
    """Let no worker take more chunks of a BATCH (or the chunk); those being worked on are finished."""
    _change(settings, batch, chunk, "paused", Queue.pause)


@click.command()
@_with_target
@click.pass_obj
def resume(settings: Settings, batch: str | None, chunk: int | None) -> None:
    """Let workers take the chunks of a paused BATCH (or the chunk) again."""
    _change(settings, batch, chunk, "resumed", Queue.resume)


@click.command()
@_with_target
@click.option(
    "--failed-images", is_flag=True, help="Also images whose result is an error, in chunks that are done."
)
@click.pass_obj
def retry(settings: Settings, batch: str | None, chunk: int | None, failed_images: bool) -> None:
    """Put failed and cancelled chunks of a BATCH (or the chunk) back into the queue."""
    _change(
        settings,
        batch,
        chunk,
        "put back",
        lambda queue, target: queue.retry(target, failed_images=failed_images),
    )
