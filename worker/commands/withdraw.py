"""`withdraw`: the fleet leaves the HTCondor pool."""

from __future__ import annotations

import click

from worker.condor.fleet import CondorFleet
from worker.settings import Settings


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Remove the fleet's jobs from the HTCondor pool; their work is stored and the rest goes back."""
    removed = CondorFleet(settings).withdraw()
    click.echo(f"withdrew {removed} {'job' if removed == 1 else 'jobs'}")
