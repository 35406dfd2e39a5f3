"""`python -m worker recognise`: drawings to SMILES, without queue or fleet."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click

from worker.answers.confidence import least_confidence, mean_confidence
from worker.decimer import open_recogniser
from worker.recognition import Recognition, SourceImage
from worker.settings import Settings


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line (the default without a terminal)."
)
@click.option("--confidence", is_flag=True, help="Each token with its confidence.")
@click.option("--hand-drawn", is_flag=True, help="Use the model for hand-drawn structures.")
@click.pass_obj
def command(
    settings: Settings, files: tuple[str, ...], as_json: bool, confidence: bool, hand_drawn: bool
) -> None:
    """Recognise the structures drawn in image FILES; `-` reads file names from standard input, one a line.

    Answers come as they are ready. Exit code 1 if an image was refused.
    """
    settings = settings.model_copy(update={"hand_drawn": True}) if hand_drawn else settings
    show = _show_json if as_json or not sys.stdout.isatty() else _show_text
    recogniser = open_recogniser(settings)
    refused = 0
    with ExitStack() as stack:
        advance = _open_progress(stack, len(files)) if sys.stderr.isatty() and "-" not in files else None
        for answer in recogniser.recognise(list_images(files)):
            refused += answer.error is not None
            click.echo(show(answer, confidence))
            sys.stdout.flush()
            if advance:
                advance()
    sys.exit(1 if refused else 0)


def list_images(files: tuple[str, ...]) -> Iterator[SourceImage]:
    """Each named file once; `-` stands for the lines of standard input, read as they come."""
    seen = set()
    for name in files:
        for line in sys.stdin if name == "-" else [name]:
            path = line.rstrip("\n")
            if path and path not in seen:
                seen.add(path)
                yield SourceImage(path, Path(path))


def _show_json(answer: Recognition, confidence: bool) -> str:
    fields: dict[str, object] = {"file": answer.key, "smiles": answer.smiles, "precision": answer.precision}
    fields |= {"truncated": True} if answer.truncated else {}
    fields |= {"error": answer.error} if answer.error else {}
    if not answer.error:
        fields["least_confidence"] = _rounded(least_confidence(answer.confidences))
        fields["mean_confidence"] = _rounded(mean_confidence(answer.confidences))
    fields["notes"] = {note.name: note.evidence for note in answer.notes}
    if confidence and not answer.error:
        fields["tokens"] = [[t, round(c, 6)] for t, c in zip(answer.tokens, answer.confidences, strict=True)]
    return json.dumps(fields)  # ASCII: file names may hold anything


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 6)


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


def _open_progress(stack: ExitStack, total: int) -> Callable[[], None]:
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("recognised"), MofNCompleteColumn(), TimeRemainingColumn())
    progress = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
    task = progress.add_task("", total=total)
    return lambda: progress.advance(task)
