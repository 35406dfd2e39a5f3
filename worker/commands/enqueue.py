"""`enqueue`: a directory tree of images becomes work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from worker.decimer.names import models_here
from worker.errors import WorkerError
from worker.gate.limits import queue_policy
from worker.listing import Enqueued, batch_name, enqueue, parse_deadline
from worker.queue import Queue, open_queue
from worker.settings import EngineSettings, Settings, StorageSettings
from worker.storage import open_storage
from worker.storage.base import IMAGE_SUFFIXES
from worker.storage.open import resolve_source

NOTE_EVERY_S = 10.0  # without a terminal


@click.command()
@click.argument("source")
@click.option("--name", help="Name of the batch; default: the source's last part.")
@click.option("--priority", type=click.IntRange(1, 3), help="3 is the most urgent; default: 2.")
@click.option("--deadline", help="When all is to be done: 4h, 2d, or 2026-11-23T08:00.")
@click.option("--model", help="Only workers with this model take it; default: any.")
@click.pass_obj
def command(
    settings: Settings,
    source: str,
    name: str | None,
    priority: int | None,
    deadline: str | None,
    model: str | None,
) -> None:
    """Add the images of SOURCE (a folder, azure://CONTAINER/PREFIX, or a path below WORKER_STORAGE_URL) and
    of all directories below it to the queue. Again, it adds what is new there; priority and deadline, when
    given, are changed.
    """
    started = time.monotonic()
    url = resolve_source(source, settings.storage_url)
    due = None if deadline is None else parse_deadline(deadline, time.time())
    name = batch_name(name, url)
    storage = open_storage(url, settings)
    directories = storage.list_directories(skip=results_below(url, settings))
    first = next(directories, None)
    if first is None:
        raise WorkerError(f"no images in {url} (looked for {' '.join(sorted(IMAGE_SUFFIXES))})")
    queue = open_queue(settings.queue_url, queue_policy(settings))
    check_model(queue, settings, model)
    batch = queue.add_batch(name, storage.url, priority, due, model)
    with shown_progress() as show:
        done = enqueue(queue, batch, chain([first], directories), settings.chunk_images, show)
    took_s = time.monotonic() - started
    click.echo(
        f"batch {name}: {done.images} images in {done.directories} directories; "
        f"new: {done.new_images} images in {done.new_chunks} chunks "
        f"({took_s:.1f} s, {storage.requests} requests to storage)"
    )
    storage.close()
    queue.close()


def check_model(queue: Queue, settings: EngineSettings, model: str | None) -> None:
    """Refuse one that no worker here could have and none ever had: its batch would wait for ever."""
    if model is None:
        return
    known = sorted({*models_here(settings), *queue.known_models()})
    if model not in known:
        raise WorkerError(
            f"--model {model}: no worker of this queue has had that model, and this host has not; known: "
            f"{', '.join(known) or 'none yet (`python -m worker model fetch` here makes it known)'}"
        )


def results_below(url: str, settings: StorageSettings) -> str | None:
    """The result files' place below the source, which holds no images."""
    results = resolve_source(settings.result_files_url, ".")
    return results.removeprefix(f"{url}/") if results.startswith(f"{url}/") else None


@contextmanager
def shown_progress() -> Iterator[Callable[[Enqueued], None]]:
    """A live line on a terminal, a line now and then elsewhere; both to stderr."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("listing", total=None)
        noted_at = time.monotonic()

        def show(done: Enqueued) -> None:
            nonlocal noted_at
            text = f"{done.directories} directories, {done.images} images, {done.new_images} of them new"
            progress.update(task, description=text)
            if not console.is_terminal and time.monotonic() - noted_at >= NOTE_EVERY_S:
                noted_at = time.monotonic()
                click.echo(text, err=True)

        yield show
