"""The filters of a batch's page as options of `results`, by the same names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, TypeVar

import click

from worker.review.choice import ANSWERS, FAILED, NOTE_NAMES, REVIEWS, SHOWS, ResultFilter, folder_of

Command = TypeVar("Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--show",
        type=click.Choice(SHOWS),
        help=f"Of BATCH, as its page filters and sorts them; {ANSWERS} where only another filter is given.",
    ),
    click.option("--below", type=click.FloatRange(0, 1), help="Those whose least confidence is below."),
    click.option("--note", type=click.Choice(NOTE_NAMES), help="Those with this note."),
    click.option(
        "--error", metavar="KIND", help=f"With --show {FAILED}: those with this before the first colon."
    ),
    click.option("--folder", help="Those in this very folder below the source; . is the source itself."),
    click.option("--text", help="Those with this text in the picture's name, its folder or the SMILES."),
    click.option(
        "--review", type=click.Choice(REVIEWS), help="Those that people said this of, as --reviews has it."
    ),
)


def filter_options(command: Command) -> Command:
    """What is given of them is for `read_filter`."""
    return reduce(lambda wrapped, option: option(wrapped), reversed(_OPTIONS), command)


def read_filter(
    given: Mapping[str, Any], *, doubtful_below: float | None, at_least: float | None,
    has_batch: bool, has_reviews: bool,
) -> ResultFilter | None:  # fmt: skip
    """None where no filter is given. `doubtful_below`: where --doubtful asks for it. Raises UsageError."""
    if all(value is None for value in given.values()):
        return None
    show, below, review = given["show"] or ANSWERS, given["below"], given["review"] or ""
    if not has_batch:
        raise click.UsageError("filters are of one BATCH: name it")
    if below is not None and doubtful_below is not None:
        raise click.UsageError("--doubtful is --below with WORKER_DOUBTFUL_BELOW: give one of them")
    if review and not has_reviews:
        raise click.UsageError("--review needs --reviews FILE or URL: what people said")
    if given["error"] is not None and show != FAILED:
        raise click.UsageError(f"--error needs --show {FAILED}")
    return ResultFilter(
        show=show,
        below=doubtful_below if below is None else below,
        at_least=at_least,
        note=given["note"] or "",
        error=_without_nul(given["error"] or ""),
        text=_without_nul(given["text"] or "").strip(),
        review=review,
        folder=None if given["folder"] is None else folder_of(_without_nul(given["folder"])),
    )


def _without_nul(text: str) -> str:
    """No text of a database holds one, and PostgreSQL refuses to be asked for it."""
    return text.replace("\0", "")
