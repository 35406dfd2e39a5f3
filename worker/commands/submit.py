"""`submit` and `withdraw`: supervisors as jobs of an HTCondor pool, and their leave."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict

import click

from cloud_monitor.system.text import counted
from worker.condor.fleet import CondorFleet
from worker.condor.jobs import JobState
from worker.settings import Settings

EVERY_S = 30.0


@click.command()
@click.option("--workers", type=click.IntRange(1, 100_000), help="Jobs there shall be, idle or running.")
@click.option("--keep", is_flag=True, help="Stay, and replace jobs that ended or are held.")
@click.option("--every", default=EVERY_S, show_default=True, help="Seconds between two looks of --keep.")
@click.option("--until-empty", is_flag=True, help="Let jobs, and --keep, end when the queue is empty.")
@click.option("--status", is_flag=True, help="Show the fleet's jobs in the pool.")
@click.option("--json", "as_json", is_flag=True, help="Show them as JSON, one object a line.")
@click.pass_obj
def submit(
    settings: Settings,
    workers: int | None,
    keep: bool,
    every: float,
    until_empty: bool,
    status: bool,
    as_json: bool,
) -> None:
    """Have supervisors run as jobs of an HTCondor pool: as many as asked for, with those there."""
    fleet = CondorFleet(settings)
    if status or as_json:
        show(fleet.list_jobs(), as_json)
        return
    if workers is None:
        raise click.UsageError("say how many with --workers, or look with --status")
    if keep:
        fleet.keep(workers, until_empty, every)
        return
    click.echo(f"submitted {fleet.fill(workers, until_empty)} of {workers}, the others are there")


def show(jobs: Sequence[JobState], as_json: bool) -> None:
    if as_json:
        for job in jobs:
            click.echo(json.dumps(asdict(job)))
        return
    for job in jobs:
        minutes = (time.time() - job.since) / 60
        click.echo(f"{job.id:>10}  {job.status:<12} {minutes:7.0f} min  {job.slot or job.reason}")
    click.echo(counted(len(jobs), "job"))


@click.command()
@click.pass_obj
def withdraw(settings: Settings) -> None:
    """Remove the fleet's jobs from the HTCondor pool; their work is stored and the rest goes back."""
    removed = CondorFleet(settings).withdraw()
    click.echo(f"withdrew {counted(removed, 'job')}")
