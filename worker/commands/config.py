"""`config check`: what is set, and whence."""

from __future__ import annotations

import os

import click

from cloud_monitor.config_check import check_config
from worker.settings import READER


@click.command()
@click.argument("what", type=click.Choice(["check"]))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def command(context: click.Context, what: str, as_json: bool) -> None:
    """Print the settings that are not left to their defaults, secrets hidden, and whether all can be used."""
    config = context.find_root().params["config"]
    context.exit(check_config(READER, os.environ, config, as_json))
