"""`results`: what was recognised, out of the queue."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import click

from worker.answers.chemistry import Chemist
from worker.errors import WorkerError
from worker.exports.base import CHEMISTRY, COLUMNS, REVIEW, WITHOUT_LISTS
from worker.exports.export import (
    FORMATS,
    Add,
    by_confidence,
    export_to_file,
    export_to_stream,
    with_chemistry,
)
from worker.exports.reviews import ReviewTable, read_reviews
from worker.gate.limits import command_policy
from worker.queue import Queue, QueueError, ResultChoice, ResultRow, open_queue
from worker.review.command_options import filter_options, read_filter
from worker.review.export import chosen_rows
from worker.review.reviewed import NO_VERDICTS
from worker.settings import Settings


@click.command()
@click.argument("batch", required=False)
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="csv", show_default=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File (for parquet a folder of parts); default: standard output.",
)
@click.option("--resume", is_flag=True, help="Add to --output what it lacks, after an interruption or later.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    help="Only answers whose least token confidence is that or more.",
)
@click.option(
    "--doubtful", is_flag=True, help="Only answers whose least confidence is below WORKER_DOUBTFUL_BELOW."
)
@click.option("--sort", type=click.Choice(["confidence"]), help="The least sure first; errors come last.")
@filter_options
@click.option(
    "--chemistry",
    is_flag=True,
    help="With canonical SMILES, InChI, formula, ... by RDKit, and duplicates; SDF has it anyway.",
)
@click.option(
    "--reviews",
    metavar="FILE|URL",
    help="With what people said of the answers: JSON lines as the page's /api/reviews gives them.",
)
@click.option("--tokens/--no-tokens", default=False, help="With the tokens and the confidence of each.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    batch: str | None,
    form: str,
    output: Path | None,
    resume: bool,
    min_confidence: float | None,
    doubtful: bool,
    sort: str | None,
    chemistry: bool,
    reviews: str | None,
    tokens: bool,
    **filters: Any,
) -> None:
    """Write the results of a BATCH, or all: one row an image, also of chunks still being worked on."""
    if resume and output is None:
        raise click.UsageError("--resume needs --output")
    below = settings.doubtful_below if doubtful else None
    choice = ResultChoice(min_confidence, below, least_first=sort is not None)
    chosen = read_filter(
        filters,
        doubtful_below=below,
        at_least=min_confidence,
        has_batch=batch is not None,
        has_reviews=reviews is not None,
    )
    if resume and (chosen is not None or choice != ResultChoice()):
        raise click.UsageError(
            "--resume goes on with all results: not with --min-confidence, --doubtful, --sort or filters"
        )
    has_chemistry = chemistry or form == "sdf"
    if resume and (has_chemistry or reviews):
        raise click.UsageError(
            "--resume does not know --chemistry, --reviews or SDF: write them to a new file"
        )
    columns = COLUMNS if tokens else WITHOUT_LISTS
    adds: list[Add] = []
    if has_chemistry:
        columns = (*columns, *CHEMISTRY)
        adds.append(with_chemistry(Chemist(), with_molfile=form == "sdf"))
    table = None
    if reviews is not None:
        table = read_table(reviews)
        columns = (*columns, *REVIEW)
        adds.append(table.join)

    def add(rows: Iterator[ResultRow]) -> Iterator[ResultRow]:
        return reduce(lambda added, one: one(added), adds, rows)

    def choose(queue: Queue, batch: str | None) -> Iterator[ResultRow]:
        if batch is not None and chosen is not None:
            return chosen_rows(queue.database, batch, chosen, table or NO_VERDICTS)
        return by_confidence(choice)(queue, batch)

    queue = open_queue(settings.queue_url, command_policy(settings), make=False)
    try:
        if output is None:
            with open(sys.stdout.fileno(), "wb", closefd=False) as stream:
                export_to_stream(queue, form, stream, batch, choose, columns, add)
        else:
            count = export_to_file(queue, form, output, batch, resume, choose, columns, add)
            click.echo(f"{count} results written to {output}", err=True)
        if table is not None:
            click.echo(f"{table.matched} of them of results written here", err=True)
        if chosen is None and not choice.asks_confidence:
            note_export(queue, batch)
    except BrokenPipeError:
        pass  # whoever reads has enough
    except OSError as error:
        raise WorkerError(
            f"cannot write to {output or 'standard output'}: {error.strerror or error}"
        ) from error
    finally:
        queue.close()
        if table is not None:
            table.close()


def read_table(source: str) -> ReviewTable:
    table = ReviewTable()
    count = table.add_all(read_reviews(source))
    click.echo(f"{count} reviews read", err=True)
    return table


def note_export(queue: Queue, batch: str | None) -> None:
    """Who may only read the queue has the results all the same."""
    try:
        queue.note_export(batch)
    except QueueError as error:
        click.echo(f"not noted as exported, `prune` will say so: {error}", err=True)
