"""`python -m worker COMMAND`: the fleet's commands, which are in worker/commands (start reading there)."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
from pathlib import Path

import click

from cloud_monitor import __version__
from cloud_monitor.output import guarded_output
from cloud_monitor.program import program_name, version_text
from cloud_monitor.settings import SettingsRefused
from cloud_monitor.system.text import without_controls
from worker import commands
from worker.errors import WorkerError
from worker.exit_codes import exit_codes_text
from worker.settings import read_settings

log = logging.getLogger("worker")


class Commands(click.Group):
    """A command is in the module of its name, or in one it shares; only the one asked for is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        modules = {module.name for module in pkgutil.iter_modules(commands.__path__)}
        own = {module.replace("_", "-") for module in modules - set(commands.SHARED.values())}
        return sorted(own | commands.SHARED.keys())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        is_shared = cmd_name in commands.SHARED
        module = commands.SHARED[cmd_name] if is_shared else cmd_name.replace("-", "_")
        found = getattr(
            importlib.import_module(f"worker.commands.{module}"), cmd_name if is_shared else "command"
        )
        assert isinstance(found, click.Command)
        found.epilog = exit_codes_text(cmd_name)
        return found


@click.group(cls=Commands)
@click.option(
    "--config", type=click.Path(path_type=Path), help="TOML file of settings; the environment wins."
)
@click.version_option(__version__, message=version_text("worker"))
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Recognise directories of drawings on any number of machines: enqueue, run, status, results."""
    if "--help" in sys.argv:  # help must work while the settings do not
        return
    warnings: list[str] = []
    try:
        context.obj = read_settings(config=config, warn=warnings.append)
    except SettingsRefused as error:
        for line in str(error).splitlines():
            click.echo(f"settings refused: {line}", err=True)
        context.exit(2)
    configure_logging(context.obj.log_level)
    if context.invoked_subcommand != "work":  # its supervisor has told
        for line in warnings:
            log.warning("%s", line)


def configure_logging(level: str) -> None:
    """To stderr; libraries only speak up from WARNING on, or they would drown the program's own lines."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    log.setLevel(level)


def run() -> None:
    """Errors that were foreseen end with one line, without a traceback, and exit code 1."""
    try:
        with guarded_output():
            main(prog_name=program_name("worker"))
    except WorkerError as error:
        click.echo(f"error: {without_controls(str(error))}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    run()
