"""What an installation is set up with: `setup --system` makes user, folders, settings and unit of a worker
machine, `config check` says what is set, and whence.
"""

from __future__ import annotations

import os

import click

from cloud_monitor.config_check import check_config
from cloud_monitor.settings import SettingsRefused
from cloud_monitor.setup import CHOICES, default_starter, run_setup
from worker.errors import WorkerError
from worker.settings import READER, StateSettings
from worker.supervisor.host_locks import refuse_open_folder


@click.command()
@click.option("--system", is_flag=True, required=True, help="On this machine, for all its users.")
@click.option("--with", "starter", type=click.Choice(CHOICES["worker"]), help="What starts it.")
@click.option("--dry-run", is_flag=True, help="Say what would be made.")
@click.pass_context
def setup(context: click.Context, system: bool, starter: str | None, dry_run: bool) -> None:
    """Make what belongs to the fleet on this machine: the user cloud-monitor, /etc/cloud-monitor with
    worker.env, /var/lib/cloud-monitor/worker and the systemd unit. Made again it mends what departs; settings
    stay as they are.
    """
    chosen = next((name for name in CHOICES["worker"] if name == starter), default_starter("worker"))
    context.exit(run_setup("worker", chosen, dry_run))


@click.command()
@click.argument("what", type=click.Choice(["check"]))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def config(context: click.Context, what: str, as_json: bool) -> None:
    """Print the settings that are not left to their defaults, secrets hidden, and whether all can be used."""
    config = context.find_root().params["config"]
    context.exit(check_config(READER, os.environ, config, as_json, _refuse_open_state))


def _refuse_open_state(settings: StateSettings) -> None:
    try:
        refuse_open_folder(settings.state_dir)
    except WorkerError as error:
        raise SettingsRefused(str(error)) from None
    except OSError:  # it is not there yet, or told with the other files and folders
        pass
