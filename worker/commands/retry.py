"""`retry`: an operator gives failed work another chance."""

from __future__ import annotations

import click

from worker.settings import Settings
from worker.targets import change, with_target


@click.command()
@with_target
@click.option(
    "--failed-images", is_flag=True, help="Also images whose result is an error, in chunks that are done."
)
@click.pass_obj
def command(settings: Settings, batch: str | None, chunk: int | None, failed_images: bool) -> None:
    """Put failed and cancelled chunks of a BATCH (or the chunk) back into the queue."""
    change(
        settings,
        batch,
        chunk,
        "put back",
        lambda queue, target: queue.retry(target, failed_images=failed_images),
    )
