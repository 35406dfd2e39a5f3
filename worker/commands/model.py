"""`python -m worker model fetch|verify|info`: the recogniser's weights."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from cloud_monitor.program import program_name
from worker.decimer import log_progress
from worker.decimer.errors import ModelError
from worker.decimer.model.packages import Report
from worker.decimer.model.store import ModelSource, find_model, verify_model
from worker.settings import ModelSettings, Settings


@click.group()
def command() -> None:
    """Fetch, verify and describe the weights of DECIMER."""


def _options(function: click.decorators.FC) -> click.decorators.FC:
    hand_drawn = click.option("--hand-drawn", is_flag=True, help="The model for hand-drawn structures.")
    return hand_drawn(function)


@command.command()
@_options
@click.option(
    "--archive", type=click.Path(path_type=Path), help="Upstream's zip, or the folder it unpacks to."
)
@click.pass_obj
def fetch(settings: Settings, hand_drawn: bool, archive: Path | None) -> None:
    """Fetch, verify, convert and prepare the model for this machine; what is there already is kept."""
    from worker.decimer.model.make_model import get_model, get_prepared

    with _show_progress() as report:
        model = get_model(_source(settings, hand_drawn, archive), report)
        prepared = get_prepared(model, report)
    click.echo(f"{model.version} is ready in {model.folder} ({prepared.name})")


@command.command()
@_options
@click.pass_obj
def verify(settings: Settings, hand_drawn: bool) -> None:
    """Compare every file of the model with the hash it had when it was made."""
    with _show_progress() as report:
        source = _source(settings, hand_drawn)
        model = find_model(source)
        if model is None:
            raise ModelError(_no_model(source))
        verify_model(model, report)
    click.echo(f"{model.version} in {model.folder} is whole")


@command.command()
@_options
@click.pass_obj
def info(settings: Settings, hand_drawn: bool) -> None:
    """Say which model is there, where, and for which machines it is prepared."""
    source = _source(settings, hand_drawn)
    model = find_model(source)
    if model is None:
        click.echo(_no_model(source))
        sys.exit(1)
    click.echo(f"model     {model.version}")
    click.echo(f"weights   sha256 {model.sha256}")
    click.echo(f"folder    {model.folder}")
    for folder in sorted(model.folder.glob("prepared-*")):
        megabytes = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        click.echo(f"prepared  {folder.name.removeprefix('prepared-')} ({megabytes:.0f} MB)")


def _no_model(source: ModelSource) -> str:
    kind, options = "", ""
    if source.hand_drawn:
        kind, options = " for hand-drawn structures", " --hand-drawn"
        options += "" if source.archive else " --archive DECIMER_HandDrawn_model.zip"
    return f"no model{kind} in {source.directory}: run `{program_name('worker')} model fetch{options}`"


def _source(settings: ModelSettings, hand_drawn: bool, archive: Path | None = None) -> ModelSource:
    hand_drawn = hand_drawn or settings.hand_drawn
    configured = settings.hand_drawn_archive if hand_drawn else settings.model_archive
    return ModelSource(settings.model_dir, hand_drawn, archive or configured)


@contextmanager
def _show_progress() -> Iterator[Report]:
    """A bar on a terminal, log lines elsewhere."""
    if not sys.stderr.isatty():
        yield log_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def report(what: str, done_bytes: int, total_bytes: int) -> None:
            progress.update(task, description=what, completed=done_bytes, total=total_bytes or None)

        yield report
