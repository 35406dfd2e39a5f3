"""`sweep`: temporary files of workers that are gone."""

from __future__ import annotations

import click

from worker.errors import WorkerError
from worker.gate.temporary import sweep_temp
from worker.settings import Settings


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Remove the temporary folders on this host of workers that are gone; never one of a worker that lives.
    A running supervisor does so by itself; this is for a host without one, and for alerts.
    """
    try:
        swept = sweep_temp(settings.temp_dir)
    except OSError as error:
        raise WorkerError(f"WORKER_TEMP_DIR={settings.temp_dir}: {error.strerror}") from None
    for name in swept:
        click.echo(name)
    click.echo(f"removed {len(swept)} folder{'' if len(swept) == 1 else 's'} below {settings.temp_dir}")
