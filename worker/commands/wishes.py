"""`wishes`: what was asked of batches from outside, and who carries it out."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from cloud_monitor.system.text import age_text, without_controls
from worker.errors import WorkerError
from worker.queue.statistics.batch_wishes import AskedOfBatches, read_asked
from worker.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(settings: Settings, as_json: bool) -> None:
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
