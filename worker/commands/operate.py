"""What is done to a batch, or to a chunk by its number: by an operator with `cancel`, `pause`, `resume` and
`retry`, and by what was asked for from outside (`wishes`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click
from sqlalchemy import Connection

from cloud_monitor.system.text import age_text, counted, without_controls
from worker.errors import WorkerError
from worker.gate.limits import command_policy
from worker.queue import Queue, QueueTarget, open_queue
from worker.queue.hold import hold_fleet, lift_hold
from worker.queue.statistics.batch_wishes import AskedOfBatches, read_asked
from worker.settings import QueueSettings, Settings

REASON_MAX = 200
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
    queue = open_queue(settings.queue_url, command_policy(settings), make=False)
    try:
        changed = run(queue, QueueTarget(batch, chunk))
    finally:
        queue.close()
    click.echo(f"{what} {counted(changed, 'chunk')}")


@click.command()
@_with_target
@click.pass_obj
def cancel(settings: Settings, batch: str | None, chunk: int | None) -> None:
    """Give up what is not done of a BATCH or a chunk; a worker on it stops within a few seconds."""
    _change(settings, batch, chunk, "cancelled", Queue.cancel)


@click.command()
@_with_target
@click.option("--all", "whole_fleet", is_flag=True, help="Hold the whole fleet, until `resume --all`.")
@click.option("--reason", default="", help="With --all: why, for `status` and the page.")
@click.pass_obj
def pause(settings: Settings, batch: str | None, chunk: int | None, whole_fleet: bool, reason: str) -> None:
    """Let no worker take more chunks of a BATCH (or the chunk); those being worked on are finished. With
    --all nothing is claimed, enqueued, submitted or scaled up in the whole fleet.
    """
    if not whole_fleet:
        _change(settings, batch, chunk, "paused", Queue.pause)
        return
    is_new = _change_hold(
        settings, batch, chunk, lambda connection: hold_fleet(connection, reason[:REASON_MAX])
    )
    click.echo("the whole fleet is held" if is_new else "the whole fleet is held already")


@click.command()
@_with_target
@click.option("--all", "whole_fleet", is_flag=True, help="Lift the hold over the whole fleet.")
@click.pass_obj
def resume(settings: Settings, batch: str | None, chunk: int | None, whole_fleet: bool) -> None:
    """Let workers take the chunks of a paused BATCH (or the chunk) again. With --all only the hold over the
    whole fleet is lifted: batches that were paused by name stay so.
    """
    if not whole_fleet:
        _change(settings, batch, chunk, "resumed", Queue.resume)
        return
    was_held = _change_hold(settings, batch, chunk, lift_hold)
    click.echo("the whole fleet goes on" if was_held else "the whole fleet was not held")


def _change_hold(
    settings: QueueSettings, batch: str | None, chunk: int | None, change: Callable[[Connection], bool]
) -> bool:
    if batch is not None or chunk is not None:
        raise click.UsageError("--all is the whole fleet: leave out the batch and --chunk")
    queue = open_queue(settings.queue_url, command_policy(settings), make=False)
    try:
        return queue.database.write(change)
    finally:
        queue.close()


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


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def wishes(settings: Settings, as_json: bool) -> None:
    """What was asked of batches on the page or by its API within the hour, and what is open, with how it
    stands; and below which sources may be submitted (WORKER_SUBMIT_SOURCES of running supervisors).
    """
    found = read_asked(settings.queue_url)
    if found is None:
        raise WorkerError("the queue is of an earlier version: `worker run` brings it up to date")
    if as_json:
        wishes = [asdict(wish) | {"state": found.state_of(wish)} for wish in found.wishes]
        click.echo(json.dumps({"wishes": wishes, "sources": found.sources}, indent=2))
        return
    for line in wishes_text(found):
        click.echo(without_controls(line))


def wishes_text(found: AskedOfBatches) -> list[str]:
    lines = [
        f"{wish.id}  {wish.kind} {wish.batch}{wish.source and f' from {wish.source}'}, asked for by "
        f"{wish.asked_by} {age_text(found.at - wish.asked_at)} ago: {found.state_of(wish)}"
        for wish in found.wishes
    ]
    for host, prefixes in found.sources.items():
        places = f"below {', '.join(prefixes)}" if prefixes else "nothing"
        lines.append(f"{host} carries out wishes, and submits {places}")
    if not found.sources:
        lines.append("no supervisor that carries out wishes is running")
    return lines
