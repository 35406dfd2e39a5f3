"""Which results of a batch a page shows, and in which order, as conditions of a query (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, literal, or_, select, tuple_

from cloud_monitor.reviews import RIGHT, WRONG
from worker.answers.notes import NOTES, UNPARSABLE
from worker.queue.database.sql import contains_text, error_kind
from worker.queue.schema import chunks, images, results

ANSWERS, NOTED, TRUNCATED = "answers", "noted", "truncated"
NO_MOLECULE, FAILED = "not_a_molecule", "failed"
SHOWS = (ANSWERS, NOTED, NO_MOLECULE, TRUNCATED, FAILED)
NOTE_NAMES = NOTES
REVIEWED, UNREVIEWED = "reviewed", "unreviewed"
REVIEWS = (REVIEWED, UNREVIEWED, RIGHT, WRONG)
SOURCE_ITSELF = "."  # no folder's own name: how an address or a command says it
_NO_CONFIDENCE = 0.0  # of failed ones


Place = tuple[float, int, int]  # least confidence, chunk, number


@dataclass(frozen=True, slots=True)
class After:
    """Where a result stands in the order of its batch: failed ones have no confidence. `since`: the search
    begins beyond that chunk.
    """

    least: float
    chunk: int
    number: int
    since: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """What one search looks through: chunks beyond `since`, up to `until`. The others count results: those
    before them, theirs, and all there are.
    """

    since: int
    until: int
    before: int
    looked_at: int
    total: int

    @property
    def is_last(self) -> bool:
        return self.before + self.looked_at >= self.total

    @property
    def following(self) -> After | None:
        """Where the next search begins: before all of its results."""
        return None if self.is_last else _before_all(self.until)

    @property
    def beginning(self) -> After | None:
        """None: of the batch."""
        return _before_all(self.since) if self.since else None


def folder_of(word: str) -> str:
    """Of the word that says it."""
    return "" if word == SOURCE_ITSELF else word


def _before_all(since: int) -> After:
    return After(-1.0, 0, 0, since)


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """`show` is one of ANSWERS (with a SMILES), NOTED, TRUNCATED, NO_MOLECULE (no SMILES by its grammar),
    FAILED. Empty text asks nothing.
    """

    show: str = ANSWERS
    below: float | None = None  # least confidence
    at_least: float | None = None  # the same
    note: str = ""  # one of NOTE_NAMES
    error: str = ""  # what stands before the first colon
    text: str = ""  # anywhere in the picture's name, its folder or the SMILES, whatever the case
    review: str = ""  # one of REVIEWS, which worker.review.reviewed asks for; corrected ones are wrong
    folder: str | None = None  # the very folder; "" is the source itself

    @property
    def is_searched(self) -> bool:
        """Whether each result itself must be read to tell: no index knows."""
        if self.show == FAILED:
            return bool(self.text or self.error)
        return bool(self.text or self.note) or self.show in (NOTED, TRUNCATED, NO_MOLECULE)

    def keys(
        self,
        batch_id: int | None,
        after: After | None,
        count: int,
        *,
        is_backward: bool = False,
        span: Span | None = None,
        end: Place | None = None,
    ) -> Select[Any]:
        """Least confidence, chunk and number, the least sure first, failed ones in order of pictures; or
        those before `after`, the nearest first; none beyond `end`. Of one batch or of all.
        """
        query = select(self._least(), results.c.chunk_id, results.c.number).where(*self._conditions())
        if batch_id is not None:
            query = query.where(results.c.batch_id == batch_id)
        query = self._within(query, batch_id, span)
        if self.text:
            query = query.join(images, _SAME_PICTURE).join(chunks, chunks.c.id == results.c.chunk_id)
            texts = (images.c.name, chunks.c.directory, results.c.smiles)
            query = query.where(or_(*(contains_text(column, self.text) for column in texts)))
        return self._in_order(query, after, count, is_backward, end)

    def index_keys(
        self, batch_id: int, after: After | None, count: int, span: Span, is_backward: bool
    ) -> Select[Any]:
        """As `keys`, of what the index of confidences alone tells: more than is asked for."""
        query = select(*_LEAST_FIRST).where(results.c.batch_id == batch_id, *self._confidences())
        return self._in_order(self._within(query, batch_id, span), after, count, is_backward, None)

    def scans(
        self, batch_id: int, after: After | None, count: int, span: Span, is_backward: bool
    ) -> list[Select[Any]]:
        """The same as `keys` in order of storage: together they give all, some twice. They name no batch,
        or SQLite would go by the index of confidences, from one end of the file to the other.
        """
        inside = self.chunks_of(batch_id, span)
        query = select(self._least(), results.c.chunk_id, results.c.number).where(*self._conditions())
        found = [query.where(results.c.chunk_id.in_(inside))]
        if self.text:
            is_in_folder = chunks.c.id.in_(inside), contains_text(chunks.c.directory, self.text)
            folders = select(chunks.c.id).where(*is_in_folder).correlate(None)
            named = query.join(images, _SAME_PICTURE).where(
                images.c.chunk_id.in_(inside), contains_text(images.c.name, self.text)
            )
            found = [
                found[0].where(contains_text(results.c.smiles, self.text)),
                query.where(results.c.chunk_id.in_(folders)),
                named,
            ]
        return [self._in_order(each, after, count, is_backward, None) for each in found]

    def chunks_of(self, batch_id: int, span: Span | None = None) -> Select[Any]:
        """The ids of those that the folder leaves, within the span."""
        query = select(chunks.c.id).where(chunks.c.batch_id == batch_id)
        if self.folder is not None:
            query = query.where(chunks.c.directory == self.folder)
        if span is not None:
            query = query.where(chunks.c.id > span.since, chunks.c.id <= span.until)
        return query.correlate(None)

    def _within(self, query: Select[Any], batch_id: int | None, span: Span | None) -> Select[Any]:
        if self.folder is not None and batch_id is not None:
            query = query.where(results.c.chunk_id.in_(self.chunks_of(batch_id)))
        if span is not None:
            query = query.where(results.c.chunk_id > span.since, results.c.chunk_id <= span.until)
        return query

    def _in_order(
        self, query: Select[Any], after: After | None, count: int, is_backward: bool, end: Place | None
    ) -> Select[Any]:
        order = self._order()
        if after is not None:
            here, there = tuple_(*order), self._literal((after.least, after.chunk, after.number))
            query = query.where(here < there if is_backward else here > there)
        if end is not None:
            here, there = tuple_(*order), self._literal(end)
            query = query.where(here >= there if is_backward else here <= there)
        return query.order_by(*(column.desc() if is_backward else column for column in order)).limit(count)

    def _literal(self, place: Place) -> Any:
        return tuple_(*(literal(part) for part in (place[1:] if self.show == FAILED else place)))

    def _least(self) -> ColumnElement[float]:
        return literal(_NO_CONFIDENCE) if self.show == FAILED else results.c.least_confidence

    def _order(self) -> tuple[ColumnElement[float] | ColumnElement[int], ...]:
        pictures = (results.c.chunk_id, results.c.number)
        return pictures if self.show == FAILED else _LEAST_FIRST

    def _conditions(self) -> list[ColumnElement[bool]]:
        if self.show == FAILED:
            found: list[ColumnElement[bool]] = [results.c.error.is_not(None)]
            return [*found, error_kind(results.c.error) == self.error] if self.error else found
        found = self._confidences()
        if self.show == TRUNCATED:
            found.append(results.c.truncated)
        if self.show == NOTED:
            found.append(results.c.notes.is_not(None))
        if self.show == NO_MOLECULE:
            found.append(_has_note(UNPARSABLE))
        if self.note:
            found.append(_has_note(self.note))
        return found

    def _confidences(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [results.c.least_confidence.is_not(None)]
        if self.below is not None:
            found.append(results.c.least_confidence < self.below)
        if self.at_least is not None:
            found.append(results.c.least_confidence >= self.at_least)
        return found


_LEAST_FIRST = (results.c.least_confidence, results.c.chunk_id, results.c.number)
_SAME_PICTURE = and_(images.c.chunk_id == results.c.chunk_id, images.c.number == results.c.number)


def _has_note(name: str) -> ColumnElement[bool]:
    return results.c.notes.contains(f'"{name}":', autoescape=True)
