"""Results by what people said of them. Who keeps the reviews gives them in pieces, and each piece is met with
the batch's results by the index of pictures: memory is bounded, whatever there is of either.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Connection, Select, and_, bindparam, select
from sqlalchemy.sql.util import ClauseAdapter

from cloud_monitor.reviews import RIGHT, VERDICTS
from worker.answers.confidence import BANDS, band_of, band_text
from worker.answers.page_names import image_hash, page_name
from worker.queue.results import IS_ONE_OF_THESE
from worker.queue.schema import PAGES_SINCE, PICTURES_SINCE, images, results
from worker.review.choice import REVIEWED, UNREVIEWED, After, Place, ResultFilter, Span
from worker.review.search import find_places

AnswerKey = tuple[str, str]  # the picture's hash, the SMILES
LOOKED_AT = 500  # results read together
_MANY = 10**9


class Verdicts(Protocol):
    """What people said, by answer: one of cloud_monitor.reviews.VERDICTS."""

    def pieces(self) -> Iterator[Mapping[AnswerKey, str]]:
        """All, some hundred at a time."""

    def find(self, keys: Collection[AnswerKey]) -> Mapping[AnswerKey, str]:
        """Those of these answers."""


class NoVerdicts:
    """Nobody has said anything."""

    def pieces(self) -> Iterator[Mapping[AnswerKey, str]]:
        return iter(())

    def find(self, keys: Collection[AnswerKey]) -> Mapping[AnswerKey, str]:
        return {}


NO_VERDICTS = NoVerdicts()


@dataclass(frozen=True, slots=True)
class BandAgreement:
    """Of a batch's reviewed answers in a band of least confidence; `right` of `reviewed` were."""

    begins: float
    text: str
    reviewed: int
    right: int


def schema_for(chosen: ResultFilter) -> str:
    """The oldest by which such results can be chosen."""
    return PICTURES_SINCE if chosen.review else PAGES_SINCE


def places_of(
    connection: Connection,
    batch_id: int,
    chosen: ResultFilter,
    after: After | None,
    count: int,
    verdicts: Verdicts,
    *,
    span: Span | None = None,
    is_backward: bool = False,
) -> list[Place]:
    """The first `count` results after that place, in the filter's order; or those before it, the nearest
    first. `span` as of worker.review.search.
    """
    find = partial(find_places, connection, batch_id, chosen, span=span, is_backward=is_backward)
    if not chosen.review:
        return find(after, count)
    if chosen.review == UNREVIEWED:
        return _unreviewed(connection, find, after, count, verdicts)
    here = None if after is None else (after.least, after.chunk, after.number)
    found = (
        place
        for place in reviewed_places(connection, batch_id, chosen, verdicts)
        if here is None or (place < here if is_backward else place > here)
    )
    return heapq.nlargest(count, found) if is_backward else heapq.nsmallest(count, found)


def reviewed_places(
    connection: Connection, batch_id: int, chosen: ResultFilter, verdicts: Verdicts
) -> Iterator[Place]:
    """All that were said to be as `chosen.review` asks, in no order."""
    wanted = _wanted(chosen.review)
    met = _meet(connection, batch_id, chosen, verdicts)
    return (place for place, verdict in met if verdict in wanted)


def _unreviewed(
    connection: Connection,
    find: Callable[[After | None, int], list[Place]],
    after: After | None,
    count: int,
    verdicts: Verdicts,
) -> list[Place]:
    found: list[Place] = []
    while len(found) < count:
        places = find(after, LOOKED_AT)
        if not places:
            break
        keys = _answer_keys(connection, places)
        reviewed = verdicts.find(set(keys.values()))
        found += [place for place in places if keys.get(place[1:]) not in reviewed]
        after = After(*places[-1])
    return found[:count]


def read_agreement(connection: Connection, batch_id: int, verdicts: Verdicts) -> tuple[BandAgreement, ...]:
    """Each band, also those of which none was reviewed."""
    reviewed, right = [0] * len(BANDS), [0] * len(BANDS)
    for (least, _, _), verdict in _meet(connection, batch_id, ResultFilter(), verdicts):
        reviewed[band_of(least)] += 1
        right[band_of(least)] += verdict == RIGHT
    return tuple(
        BandAgreement(begins, band_text(band), reviewed[band], right[band])
        for band, begins in enumerate(BANDS)
    )


def _wanted(review: str) -> frozenset[str]:
    if review == REVIEWED:
        return frozenset(VERDICTS)
    return frozenset({RIGHT}) if review == RIGHT else frozenset(VERDICTS) - {RIGHT}


def _meet(
    connection: Connection, batch_id: int, chosen: ResultFilter, verdicts: Verdicts
) -> Iterator[tuple[Place, str]]:
    """Each of the chosen results that has a verdict, in no order."""
    answers = answers_of(batch_id, chosen)
    for piece in verdicts.pieces():
        files = [bytes.fromhex(digest) for digest in sorted({_file_of(key[0]) for key in piece})]
        for row in connection.execute(answers, {"files": files}):
            verdict = piece.get(_key(row))
            if verdict is not None:
                yield (row[0], row.chunk_id, row.number), verdict


def answers_of(batch_id: int, chosen: ResultFilter, files: Sequence[bytes] = ()) -> Select[Any]:
    """The chosen results of pictures in `files`, by their hashes. These are found first, behind a limit that
    none reaches: SQLite would else look through the whole batch by confidence.
    """
    is_of_these = results.c.sha256.in_(bindparam("files", list(files), expanding=True))
    found = (
        select(*(column for column in results.c if column.name not in ("tokens", "confidences")))
        .where(results.c.batch_id == batch_id, results.c.smiles.is_not(None), is_of_these)
        .limit(_MANY)
        .subquery("answers")
    )
    pictures = images.alias()
    same = and_(pictures.c.chunk_id == results.c.chunk_id, pictures.c.number == results.c.number)
    query = (
        chosen.keys(batch_id, None, 1)
        .order_by(None)
        .limit(None)
        .join(pictures, same)
        .add_columns(results.c.sha256, results.c.smiles, pictures.c.name, pictures.c.page)
    )
    return ClauseAdapter(found).traverse(query)


def _answer_keys(connection: Connection, places: Iterable[Place]) -> dict[tuple[int, int], AnswerKey]:
    same = and_(images.c.chunk_id == results.c.chunk_id, images.c.number == results.c.number)
    query = (
        select(results.c.chunk_id, results.c.number, results.c.sha256, results.c.smiles)
        .add_columns(images.c.name, images.c.page)
        .join(images, same)
        .where(IS_ONE_OF_THESE, results.c.smiles.is_not(None))
    )
    rows = connection.execute(query, {"keys": json.dumps([place[1:] for place in places])})
    return {(row.chunk_id, row.number): _key(row) for row in rows}


def _key(row: Any) -> AnswerKey:
    return image_hash(bytes(row.sha256).hex(), page_name(row.name, row.page)), row.smiles


def _file_of(picture: str) -> str:
    """The file's SHA-256 in the hash of a picture; "" where it is none."""
    digest = picture.partition("#")[0]
    return digest if len(digest) == 64 and all(c in "0123456789abcdef" for c in digest) else ""
