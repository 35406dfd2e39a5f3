"""How operators' commands name what they are about: a batch, or a chunk by its number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from worker.gate.limits import queue_policy
from worker.queue import Queue, QueueTarget, open_queue
from worker.settings import QueueSettings

target_options = [
    click.argument("batch", required=False),
    click.option("--chunk", type=int, help="Only this chunk, by its number (in `status` and on /fleet)."),
]


def with_target(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the argument BATCH and the option --chunk."""
    for option in reversed(target_options):
        function = option(function)
    return function


def change(
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
