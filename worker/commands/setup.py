"""`setup --system`: user, folders, settings and unit of a worker machine."""

from __future__ import annotations

import click

from cloud_monitor.setup import CHOICES, default_starter, run_setup


@click.command()
@click.option("--system", is_flag=True, required=True, help="On this machine, for all its users.")
@click.option("--with", "starter", type=click.Choice(CHOICES["worker"]), help="What starts it.")
@click.option("--dry-run", is_flag=True, help="Say what would be made.")
@click.pass_context
def command(context: click.Context, system: bool, starter: str | None, dry_run: bool) -> None:
    """Make what belongs to the fleet on this machine: the user cloud-monitor, /etc/cloud-monitor with
    worker.env, /var/lib/cloud-monitor/worker and the systemd unit. Made again it mends what departs; settings
    stay as they are.
    """
    chosen = next((name for name in CHOICES["worker"] if name == starter), default_starter("worker"))
    context.exit(run_setup("worker", chosen, dry_run))
