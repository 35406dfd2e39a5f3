"""Which results of a batch a page shows, and in which order, as conditions of a query (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, literal, or_, select, tuple_

from cloud_monitor.reviews import RIGHT, WRONG
from worker.answers.notes import NOTES, UNPARSABLE
from worker.queue.database.sql import error_kind
from worker.queue.schema import chunks, images, results

ANSWERS, NOTED, TRUNCATED = "answers", "noted", "truncated"
NO_MOLECULE, FAILED = "not_a_molecule", "failed"
NOTE_NAMES = NOTES
REVIEWED, UNREVIEWED = "reviewed", "unreviewed"
REVIEWS = (REVIEWED, UNREVIEWED, RIGHT, WRONG)
_NO_CONFIDENCE = 0.0  # of failed ones


@dataclass(frozen=True, slots=True)
class After:
    """Where a result stands in the order of its batch: failed ones have no confidence."""

    least: float
    chunk: int
    number: int


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """`show` is one of ANSWERS (with a SMILES), NOTED, TRUNCATED, NO_MOLECULE (no SMILES by its grammar),
    FAILED. Empty text asks nothing.
    """

    show: str = ANSWERS
    below: float | None = None  # least confidence
    note: str = ""  # one of NOTE_NAMES
    error: str = ""  # what stands before the first colon
    text: str = ""  # anywhere in the picture's name, its folder or the SMILES, whatever the case
    review: str = ""  # one of REVIEWS, which worker.review.reviewed asks for; corrected ones are wrong
    folder: str | None = None  # the very folder; "" is the source itself

    def keys(
        self, batch_id: int | None, after: After | None, count: int, *, is_backward: bool = False
    ) -> Select[Any]:
        """Least confidence, chunk and number, the least sure first, failed ones in order of pictures; or
        those before `after`, the nearest first. Of one batch or of all.
        """
        query = select(self._least(), results.c.chunk_id, results.c.number).where(*self._conditions())
        if batch_id is not None:
            query = query.where(results.c.batch_id == batch_id)
        if self.folder is not None:
            inside = (chunks.c.batch_id == batch_id, chunks.c.directory == self.folder)
            query = query.where(results.c.chunk_id.in_(select(chunks.c.id).where(*inside)))
        if self.text:
            same = and_(images.c.chunk_id == results.c.chunk_id, images.c.number == results.c.number)
            query = query.join(images, same).join(chunks, chunks.c.id == results.c.chunk_id)
            query = query.where(self._has_text())
        order = self._order()
        if after is not None:
            last = (
                (after.chunk, after.number)
                if self.show == FAILED
                else (after.least, after.chunk, after.number)
            )
            here, there = tuple_(*order), tuple_(*(literal(part) for part in last))
            query = query.where(here < there if is_backward else here > there)
        return query.order_by(*(column.desc() if is_backward else column for column in order)).limit(count)

    def _least(self) -> ColumnElement[float]:
        return literal(_NO_CONFIDENCE) if self.show == FAILED else results.c.least_confidence

    def _order(self) -> tuple[ColumnElement[float] | ColumnElement[int], ...]:
        pictures = (results.c.chunk_id, results.c.number)
        return pictures if self.show == FAILED else (results.c.least_confidence, *pictures)

    def _conditions(self) -> list[ColumnElement[bool]]:
        if self.show == FAILED:
            found: list[ColumnElement[bool]] = [results.c.error.is_not(None)]
            return [*found, error_kind(results.c.error) == self.error] if self.error else found
        found = [results.c.least_confidence.is_not(None)]
        if self.show == TRUNCATED:
            found.append(results.c.truncated)
        if self.show == NOTED:
            found.append(results.c.notes.is_not(None))
        if self.show == NO_MOLECULE:
            found.append(_has_note(UNPARSABLE))
        if self.below is not None:
            found.append(results.c.least_confidence < self.below)
        if self.note:
            found.append(_has_note(self.note))
        return found

    def _has_text(self) -> ColumnElement[bool]:
        return or_(
            *(
                column.icontains(self.text, autoescape=True)
                for column in (images.c.name, chunks.c.directory, results.c.smiles)
            )
        )


def _has_note(name: str) -> ColumnElement[bool]:
    return results.c.notes.contains(f'"{name}":', autoescape=True)
