"""`python -m worker recognise`: drawings to SMILES, without queue or fleet."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from cloud_monitor.system.text import without_controls
from worker.answers.chemistry import Chemist
from worker.answers.confidence import least_confidence, mean_confidence, written, written_or_none
from worker.answers.page_names import page_name
from worker.decimer import open_recogniser
from worker.decimer.errors import ImageRefused
from worker.decimer.images.formats import may_have_pages
from worker.decimer.images.image_file import ImageLimits, count_pages
from worker.errors import HostFault
from worker.recognition import Recognition, SourceImage
from worker.settings import Settings
from worker.storage.base import IMAGE_SUFFIXES, is_image

BLOCK_BYTES = 1 << 16  # of names


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line (the default without a terminal)."
)
@click.option("--confidence", is_flag=True, help="Each token with its confidence.")
@click.option("--chemistry", is_flag=True, help="With InChI, formula, molfile, ... by RDKit, in JSON.")
@click.option("--hand-drawn", is_flag=True, help="Use the model for hand-drawn structures.")
@click.option("-0", "--null", "by_null", is_flag=True, help="Names on standard input end with NUL.")
@click.pass_obj
def command(
    settings: Settings,
    files: tuple[str, ...],
    as_json: bool,
    confidence: bool,
    chemistry: bool,
    hand_drawn: bool,
    by_null: bool,
) -> None:
    """Recognise the structures drawn in image FILES, of a folder all images in it and below it; `-` reads
    names from standard input, one a line. Of a file of several pages each is an answer, FILE#page=2.

    Answers come as they are ready. Exit code 1 if an image was refused.
    """
    settings = settings.model_copy(update={"hand_drawn": True}) if hand_drawn else settings
    is_json = as_json or chemistry or not sys.stdout.isatty()
    chemist = Chemist() if chemistry else None
    recogniser = open_recogniser(settings)
    limits = ImageLimits(settings.image_max_bytes, settings.image_max_pixels)
    refused = 0
    with _named_lack_of_memory(), ExitStack() as stack:
        advance = _open_progress(stack) if sys.stderr.isatty() and "-" not in files else None
        for answer in recogniser.recognise(list_images(files, by_null, limits)):
            refused += answer.error is not None
            click.echo(_show_json(answer, confidence, chemist) if is_json else _show_text(answer, confidence))
            sys.stdout.flush()
            if advance:
                advance()
    sys.exit(1 if refused else 0)


@contextmanager
def _named_lack_of_memory() -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise HostFault(
            "memory ran out: lower WORKER_IMAGE_MAX_PIXELS, WORKER_DECIMER_THREADS or WORKER_DECIMER_SLOTS"
        ) from None


def list_images(files: tuple[str, ...], by_null: bool, limits: ImageLimits) -> Iterator[SourceImage]:
    """Each named file once, and each of its pages; `-` stands for the names on standard input, read as they
    come.
    """
    seen = set()
    for name in files:
        for given in _read_names(by_null) if name == "-" else [name]:
            for path in _below(given):
                if path not in seen:
                    seen.add(path)
                    yield from _pages(path, limits)


def _read_names(by_null: bool) -> Iterator[str]:
    """Of standard input, in the bytes that the file system has."""
    end, rest = b"\0" if by_null else b"\n", b""
    while block := os.read(sys.stdin.fileno(), BLOCK_BYTES):
        *whole, rest = (rest + block).split(end)
        yield from (os.fsdecode(name) for name in whole if name)
    if rest:
        yield os.fsdecode(rest)


def _below(path: str) -> Iterator[str]:
    """The file itself; of a folder its images, in order of their names, and those of the folders below."""
    if "\0" in path or not os.path.isdir(path):
        yield path
        return
    is_empty = True
    for folder, below, names in os.walk(path, onerror=lambda error: _warn(str(error))):
        below.sort()
        for name in filter(is_image, sorted(names)):
            is_empty = False
            yield os.path.join(folder, name)
    if is_empty:
        _warn(f"no images in {path} (looked for {' '.join(sorted(IMAGE_SUFFIXES))})")


def _warn(text: str) -> None:
    click.echo(f"warning: {without_controls(text)}", err=True)


def _pages(path: str, limits: ImageLimits) -> Iterator[SourceImage]:
    file = Path(path)
    try:
        pages = count_pages(file, limits) if may_have_pages(file) else 1
    except ImageRefused:  # the answer will say it
        pages = 1
    if pages == 1:
        yield SourceImage(page_name(path, None), file)
        return
    for page in range(1, pages + 1):
        yield SourceImage(page_name(path, page), file, page)


def _show_json(answer: Recognition, confidence: bool, chemist: Chemist | None) -> str:
    fields: dict[str, object] = {"file": answer.key, "smiles": answer.smiles, "precision": answer.precision}
    fields |= {"truncated": True} if answer.truncated else {}
    fields |= {"error": answer.error} if answer.error else {}
    if not answer.error:
        fields["least_confidence"] = written_or_none(least_confidence(answer.confidences))
        fields["mean_confidence"] = written_or_none(mean_confidence(answer.confidences))
    fields["notes"] = {note.name: note.evidence for note in answer.notes}
    if confidence and not answer.error:
        fields["tokens"] = [[t, written(c)] for t, c in zip(answer.tokens, answer.confidences, strict=True)]
    if chemist is not None and answer.smiles is not None:
        fields["chemistry"] = asdict(chemist.describe(answer.smiles, molfile=True))
    return json.dumps(fields)  # ASCII: file names may hold anything


def _show_text(answer: Recognition, confidence: bool) -> str:
    name = answer.key.encode("unicode_escape").decode()  # no control codes to the terminal
    if answer.error:
        return f"{name}\t{answer.error}"
    least = least_confidence(answer.confidences)
    sure = "-" if least is None else f"{least:.2f}"
    notes = "".join(f"\t{note.name}: {note.evidence}" for note in answer.notes)
    text = f"{name}\t{answer.smiles}\t{sure}{notes}"
    if confidence:
        rows = (f"\n    {t:4} {c:.4f}" for t, c in zip(answer.tokens, answer.confidences, strict=True))
        text += "".join(rows)
    return text


def _open_progress(stack: ExitStack) -> Callable[[], None]:
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("recognised"), MofNCompleteColumn(), TimeElapsedColumn())
    progress = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
    task = progress.add_task("", total=None)  # folders and pages come as they are found
    return lambda: progress.advance(task)
