"""Why pictures failed, the commonest reason first, each with what chooses its pictures in a list. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from cloud_monitor.system.text import format_number, one_line
from webapp.pages.cells import Cell
from webapp.views.fleet.words import bar_step
from worker.review import FAILED, GIVEN_UP

GIVEN_UP_TEXT = "given up with their chunk"


@dataclass(frozen=True, slots=True)
class FailureReason:
    """`width` in shares of 100 of the commonest reason; `query` chooses its pictures in a list of results."""

    text: str
    width: float
    count: Cell
    query: str
    is_given_up: bool  # they have no result, and so are in no list of results


def failure_reasons(failures: Mapping[str, int], failed: int, batch: str = "") -> Iterator[FailureReason]:
    """They sum to `failed`: pictures without a result were given up with theirs. Of one batch or of all."""
    found = [(kind, count, urlencode({"show": FAILED, "error": kind})) for kind, count in failures.items()]
    if (given_up := failed - sum(failures.values())) > 0:
        of_batch = {"batch": batch} if batch else {}
        found.append((GIVEN_UP_TEXT, given_up, urlencode({"show": GIVEN_UP, **of_batch})))
    most = max((count for _, count, _ in found), default=1)
    for text, count, query in sorted(found, key=lambda one: (-one[1], one[0])):
        yield FailureReason(
            one_line(text, 120) or "without a reason",
            bar_step(count, most),
            Cell(format_number(count)),
            query,
            is_given_up=text == GIVEN_UP_TEXT,
        )
