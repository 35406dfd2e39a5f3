"""`enqueue`: a directory tree of images becomes work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from itertools import chain
from posixpath import basename

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cloud_monitor.program import program_name
from cloud_monitor.system.text import counted, without_controls
from worker.decimer.names import models_here
from worker.errors import WorkerError
from worker.gate.limits import command_policy
from worker.listing import Enqueued, batch_name, enqueue, parse_deadline
from worker.queue import NO_NEED, Queue, StatedNeed, open_queue
from worker.queue.machines.machines import read_groups, read_rooms_of_hosts
from worker.queue.machines.places import why_nothing_carries
from worker.settings import EngineSettings, Settings
from worker.storage import Directory, open_storage
from worker.storage.base import IMAGE_SUFFIXES
from worker.storage.open import resolve_source, results_below, results_obstacle

UNLISTED_SHOWN = 20
NOTE_EVERY_S = 10.0  # without a terminal


@click.command()
@click.argument("source")
@click.option("--name", help="Name of the batch; default: the source's last part.")
@click.option("--priority", type=click.IntRange(1, 3), help="3 is the most urgent; default: 2.")
@click.option("--deadline", help="When all is to be done: 4h, 2d, or 2026-11-23T08:00.")
@click.option("--model", help="Only workers with this model take it; default: any.")
@click.option("--memory-mb", type=click.IntRange(1, 2**40), help="Memory that one worker on it needs.")
@click.option("--cpus", type=click.FloatRange(0.01, 4096), help="CPUs that one worker on it needs.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out directories and images whose name or path below SOURCE it matches (* ? []); repeatable.",
)
@click.pass_obj
def command(
    settings: Settings,
    source: str,
    name: str | None,
    priority: int | None,
    deadline: str | None,
    model: str | None,
    memory_mb: int | None,
    cpus: float | None,
    exclude: tuple[str, ...],
) -> None:
    """Add the images of SOURCE (a folder, azure://CONTAINER/PREFIX, or a path below WORKER_STORAGE_URL) and
    of all directories below it to the queue. Again, it adds what is new there; what options say of the batch
    is changed.
    """
    started = time.monotonic()
    url = resolve_source(source, settings.storage_url)
    due = None if deadline is None else parse_deadline(deadline, time.time())
    name = batch_name(name, url)
    storage = open_storage(url, settings)
    results = results_below(url, settings)
    directories = without(
        storage.list_directories(lambda path: path == results or is_excluded(path, exclude)), exclude
    )
    first = next(directories, None)
    if first is None:
        tell_unlisted(storage.unlisted)
        raise WorkerError(f"no images in {url} (looked for {' '.join(sorted(IMAGE_SUFFIXES))})")
    queue = open_queue(settings.queue_url, command_policy(settings))
    check_model(queue, settings, model)
    need = StatedNeed(memory_mb, cpus)
    check_need(queue, need)
    batch = queue.add_batch(name, storage.url, priority, due, model, need)
    if obstacle := results_obstacle(settings):
        click.echo(f"warning: results cannot be stored from here: {obstacle}", err=True)
    with shown_progress() as show:
        add = partial(queue.add_directories, batch, chunk_images=settings.chunk_images)
        done = enqueue(add, chain([first], directories), show)
    took_s = time.monotonic() - started
    click.echo(
        f"batch {name}: {done.images} images in {done.directories} directories; "
        f"new: {done.new_images} images in {done.new_chunks} chunks "
        f"({took_s:.1f} s, {storage.requests} requests to storage)"
    )
    storage.close()
    queue.close()
    if storage.unlisted:
        tell_unlisted(storage.unlisted)
        raise WorkerError(
            f"{counted(len(storage.unlisted), 'directory', 'directories')} could not be "
            "listed, all others are in the queue: make them readable and enqueue again, or use --exclude"
        )


def is_excluded(path: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern matches the path or its last part."""
    return any(fnmatchcase(path, pattern) or fnmatchcase(basename(path), pattern) for pattern in patterns)


def without(directories: Iterable[Directory], patterns: Sequence[str]) -> Iterator[Directory]:
    """The directories without the images that are excluded; none that has no other."""
    for directory in directories:
        prefix = f"{directory.path}/" if directory.path else ""
        names = tuple(name for name in directory.names if not is_excluded(prefix + name, patterns))
        if names:
            yield Directory(directory.path, names)


def tell_unlisted(unlisted: Sequence[str]) -> None:
    for line in unlisted[:UNLISTED_SHOWN]:
        click.echo(f"warning: {without_controls(line)}", err=True)
    if len(unlisted) > UNLISTED_SHOWN:
        click.echo(f"warning: and {len(unlisted) - UNLISTED_SHOWN} more", err=True)


def check_model(queue: Queue, settings: EngineSettings, model: str | None) -> None:
    """Refuse one that no worker here could have and none ever had: its batch would wait for ever."""
    if model is None:
        return
    known = sorted({*models_here(settings), *queue.known_models()})
    if model not in known:
        none = f"none yet (`{program_name('worker')} model fetch` here makes it known)"
        raise WorkerError(
            f"--model {model}: no worker of this queue has had that model, and this host has not; known: "
            f"{', '.join(known) or none}"
        )


def check_need(queue: Queue, need: StatedNeed) -> None:
    """Refuse what no worker could have: its batch would wait for ever."""
    if need == NO_NEED:
        return
    groups, hosts = queue.database.read(
        lambda connection: (read_groups(connection), read_rooms_of_hosts(connection))
    )
    if why := why_nothing_carries(need, groups, hosts):
        raise WorkerError(f"--memory-mb, --cpus: {why}")


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
