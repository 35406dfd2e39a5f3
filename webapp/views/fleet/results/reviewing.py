"""What pages of results need of reviews: whether they may be given, and those there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from cloud_monitor.reviews import SMILES_MAX
from webapp.errors import RequestRefused
from webapp.reviews import AnswerKey, ReviewsRead
from webapp.serving.context import current_settings
from webapp.serving.identity import obstacle_to_changes
from webapp.serving.kept import KeptReading
from webapp.views.fleet.reach import NO_BATCH, queue_address, read_or_refuse
from webapp.views.fleet.results.review_marks import (
    VERDICT_WORDS,
    AgreementLine,
    ReviewMark,
    agreement_lines,
    is_reviewable,
    review_mark,
)

if TYPE_CHECKING:
    from worker.review import BandAgreement, ResultRow

_agreements: KeptReading[tuple[BandAgreement, ...]] = KeptReading(RequestRefused)


class GivenVerdicts:
    """The reviews that count, as worker.review meets them with results."""

    def __init__(self, reviews: ReviewsRead) -> None:
        self._reviews = reviews

    def pieces(self) -> Iterator[Mapping[AnswerKey, str]]:
        for piece in self._reviews.pieces():
            yield {(one.review.image_hash, one.review.smiles): one.review.verdict for one in piece}

    def find(self, keys: Collection[AnswerKey]) -> Mapping[AnswerKey, str]:
        return {key: kept.review.verdict for key, kept in self._reviews.find(keys).items()}


@dataclass(frozen=True, slots=True)
class Reviewing:
    """`marks` are by chunk and number, of results that can be reviewed."""

    obstacle: str  # why whoever asks cannot review; "" where they can
    fault: str  # why the reviews there are cannot be shown; "" where they are
    marks: Mapping[tuple[int, int], ReviewMark]
    agreement: tuple[AgreementLine, ...]
    smiles_max: ClassVar[int] = SMILES_MAX  # characters of a correction
    words: ClassVar[Mapping[str, str]] = VERDICT_WORDS  # by verdict


def given_verdicts() -> GivenVerdicts:
    return GivenVerdicts(ReviewsRead(current_settings().state_dir))


def read_agreement_of(name: str) -> tuple[BandAgreement, ...]:
    """Kept for moments. Raises RequestRefused: 404, 503."""
    from worker.review import read_batch_agreement  # SQLAlchemy: only where it is asked for

    url = queue_address()
    read = partial(read_batch_agreement, url, name.replace("\0", "\ufffd"), given_verdicts())
    key = (url, current_settings().state_dir, name)
    return _agreements.get(key, partial(read_or_refuse, read, "no_such_batch", NO_BATCH))


def forget_agreements() -> None:
    """There are other reviews by now."""
    _agreements.forget()


def reviewing_of(rows: Sequence[ResultRow], batch: str = "") -> Reviewing:
    """Of the rows of a page, with a batch also its agreement; a page is shown without what cannot be read."""
    keys = {
        (row.chunk, row.result.number): (row.image_hash, row.result.smiles or "")
        for row in rows
        if is_reviewable(row)
    }
    obstacle = obstacle_to_changes()
    reviews = ReviewsRead(current_settings().state_dir)
    try:
        found = reviews.find(keys.values()) if keys else {}
        agreement = agreement_lines(read_agreement_of(batch)) if batch and reviews.has_any() else ()
    except (sqlite3.Error, RequestRefused) as error:
        return Reviewing(obstacle, f"Reviews cannot be shown: {error}", {}, ())
    marks = {place: review_mark(found.get(key)) for place, key in keys.items()}
    return Reviewing(obstacle, "", marks, agreement)
