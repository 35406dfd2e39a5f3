"""`status`: the queue and the fleet at a glance."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.live import Live

from worker.errors import WorkerError
from worker.queue.model import QueueUnavailable
from worker.queue.statistics.queue import SILENT_S, QueueFigures, read_figures
from worker.settings import Settings
from worker.status_view import shown, status_view
from worker.storage.open import results_obstacle


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--watch", is_flag=True, help="Keep showing it, until Ctrl-C or the end of all not paused.")
@click.option(
    "--every",
    type=click.FloatRange(0.1, 86_400),
    default=2.0,
    show_default=True,
    help="Seconds between two looks of --watch.",
)
@click.option(
    "--here",
    is_flag=True,
    help=f"Only whether a supervisor of this host has reported within {SILENT_S} s, for health checks.",
)
@click.pass_obj
def command(settings: Settings, as_json: bool, watch: bool, every: float, here: bool) -> None:
    """Chunks and images by state, hosts with their workers and load, the gate's last word, failures, cost."""
    if as_json + watch + here > 1:
        raise click.UsageError("--json, --watch and --here: one at a time")
    if here:
        click.echo(sign_of_life(read(settings), settings.host_name or socket.gethostname()))
    elif as_json:
        found = status_object(read(settings)) | {"results_obstacle": results_obstacle(settings)}
        click.echo(json.dumps(found, indent=2))
    elif watch:
        with suppress(KeyboardInterrupt):
            watch_status(lambda: read(settings), every)
    else:
        Console().print(status_view(read(settings)))
        if obstacle := results_obstacle(settings):
            Console().print(shown(f"results cannot be stored from here: {obstacle}"))


def read(settings: Settings) -> QueueFigures:
    return read_figures(settings.queue_url, doubtful_below=settings.doubtful_below)


def sign_of_life(figures: QueueFigures, name: str) -> str:
    """What this host's supervisor said last. Raises WorkerError where it is silent."""
    seen = [host for host in figures.hosts if re.fullmatch(re.escape(name) + r"(-\d+)?", host.name)]
    if not seen:
        raise WorkerError(f"{name}: no supervisor of this host has reported yet")
    last = max(seen, key=lambda host: host.seen_at)
    if not last.alive:
        raise WorkerError(f"{last.name}: its supervisor has not reported for more than {SILENT_S} s")
    return f"{last.name}: {last.workers} workers"


def status_object(figures: QueueFigures) -> dict[str, Any]:
    return {
        **asdict(figures),
        "eta_s": figures.eta_s,
        "versions": dict(figures.versions),
        "cost_per_1000_images": figures.cost_per_1000_images,
    }


def watch_status(read: Callable[[], QueueFigures], every_s: float) -> None:
    """In place on a terminal, one look below the other elsewhere."""
    console = Console()
    if not console.is_terminal:
        follow(read, every_s, console.print)
        return
    with Live(console=console, auto_refresh=False) as live:
        follow(read, every_s, lambda view: live.update(view, refresh=True))


def follow(read: Callable[[], QueueFigures], every_s: float, show: Callable[[RenderableType], None]) -> None:
    """A database that is away for a while is said, and asked again."""
    while True:
        try:
            figures = read()
            show(status_view(figures))
            if figures.chunks["pending"] - figures.paused + figures.chunks["active"] == 0:
                return
        except QueueUnavailable as error:
            show(shown(str(error)))
        time.sleep(every_s)
