"""Reviews in one SQLite file of the state folder, by picture and answer: so they outlast a batch that is read
again, and say nothing of another answer to the same picture. Of each the newest counts; those before it come
back when it is taken back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cloud_monitor.reviews import Review
from cloud_monitor.system import sqlite_file

FILE_NAME = "reviews.sqlite"
READ_S = 2.0
PIECE = 500  # reviews read together
HISTORY_MAX = 10  # reviews of one answer
_SCHEMA = """
CREATE TABLE reviews (
    number INTEGER PRIMARY KEY AUTOINCREMENT, image_hash TEXT NOT NULL, smiles TEXT NOT NULL,
    verdict TEXT NOT NULL, corrected_smiles TEXT, reviewer TEXT NOT NULL, reviewed_at REAL NOT NULL,
    is_newest INTEGER NOT NULL);
CREATE UNIQUE INDEX newest ON reviews (image_hash, smiles) WHERE is_newest = 1;
CREATE INDEX by_answer ON reviews (image_hash, smiles, number);
"""
_TABLES = sqlite_file.Tables(_SCHEMA, version=1, probe="SELECT count(*) FROM reviews WHERE number < 0")
_COLUMNS = "number, image_hash, smiles, verdict, corrected_smiles, reviewer, reviewed_at"

AnswerKey = tuple[str, str]  # the picture's hash, the SMILES


class KeptReview(NamedTuple):
    """`number` names it, and is of no other."""

    number: int
    review: Review


class ReviewsFull(Exception):
    """As many are kept as may be."""


class ReviewedMeanwhile(Exception):
    """There is another newest review than the one that was meant."""

    def __init__(self, newest: KeptReview | None) -> None:
        super().__init__(newest)
        self.newest = newest


class ReviewStore:
    """One open transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def add(self, review: Review, reviews_max: int) -> KeptReview:
        """Raises ReviewsFull."""
        if self._sql.execute("SELECT count(*) FROM reviews").fetchone()[0] >= reviews_max:
            raise ReviewsFull
        key = (review.image_hash, review.smiles)
        self._sql.execute(
            "UPDATE reviews SET is_newest = 0 WHERE is_newest = 1 AND image_hash = ? AND smiles = ?", key
        )
        number = self._sql.execute(
            "INSERT INTO reviews (image_hash, smiles, verdict, corrected_smiles, reviewer, reviewed_at, "
            "is_newest) VALUES (?, ?, ?, ?, ?, ?, 1)",
            review,
        ).lastrowid
        self._sql.execute(
            "DELETE FROM reviews WHERE number IN (SELECT number FROM reviews WHERE image_hash = ? "
            f"AND smiles = ? ORDER BY number DESC LIMIT -1 OFFSET {HISTORY_MAX})",
            key,
        )
        assert number is not None
        return KeptReview(number, review)

    def newest_of(self, image_hash: str, smiles: str) -> KeptReview | None:
        row = self._sql.execute(
            f"SELECT {_COLUMNS} FROM reviews WHERE is_newest = 1 AND image_hash = ? AND smiles = ?",
            (image_hash, smiles),
        ).fetchone()
        return None if row is None else _kept(row)

    def take_back(self, number: int) -> tuple[KeptReview, KeptReview | None] | None:
        """The review, and the one before it, which counts again; None where there is no such review. Raises
        ReviewedMeanwhile where it is not its answer's newest.
        """
        row = self._sql.execute(f"SELECT {_COLUMNS} FROM reviews WHERE number = ?", (number,)).fetchone()
        if row is None:
            return None
        taken = _kept(row)
        key = (taken.review.image_hash, taken.review.smiles)
        newest = self.newest_of(*key)
        if newest != taken:
            raise ReviewedMeanwhile(newest)
        self._sql.execute("DELETE FROM reviews WHERE number = ?", (number,))
        self._sql.execute(
            "UPDATE reviews SET is_newest = 1 WHERE number = (SELECT max(number) FROM reviews "
            "WHERE image_hash = ? AND smiles = ?)",
            key,
        )
        return taken, self.newest_of(*key)


@contextmanager
def open_reviews(state_dir: Path) -> Iterator[ReviewStore]:
    """A transaction, as sqlite_file.open_transaction makes it; what it holds survives a power cut.

    Raises OSError or sqlite3.Error where the folder cannot be written.
    """
    with sqlite_file.open_transaction(
        state_dir / FILE_NAME, _TABLES, synchronous="FULL", is_wal=True
    ) as connection:
        yield ReviewStore(connection)


class ReviewsRead:
    """The reviews that count, read as they are at each call. All raise sqlite3.Error where they cannot be."""

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / FILE_NAME

    def has_any(self) -> bool:
        return bool(self._read(f"SELECT {_COLUMNS} FROM reviews WHERE is_newest = 1 LIMIT 1"))

    def pieces(self) -> Iterator[list[KeptReview]]:
        """All, in the order they were given, PIECE at most at a time: no reader holds up who writes."""
        last = 0
        while found := self._read(
            f"SELECT {_COLUMNS} FROM reviews WHERE is_newest = 1 AND number > {last} "
            f"ORDER BY number LIMIT {PIECE}"
        ):
            yield found
            last = found[-1].number

    def find(self, keys: Collection[AnswerKey]) -> Mapping[AnswerKey, KeptReview]:
        """Of these answers, those that have one."""
        wanted = frozenset(keys)
        found: dict[AnswerKey, KeptReview] = {}
        all_hashes = sorted({image_hash for image_hash, _ in wanted})
        for start in range(0, len(all_hashes), PIECE):
            hashes = all_hashes[start : start + PIECE]
            marks = ", ".join("?" * len(hashes))
            query = f"SELECT {_COLUMNS} FROM reviews WHERE is_newest = 1 AND image_hash IN ({marks})"
            for one in self._read(query, hashes):
                key = (one.review.image_hash, one.review.smiles)
                if key in wanted:
                    found[key] = one
        return found

    def _read(self, query: str, values: Sequence[str] = ()) -> list[KeptReview]:
        with sqlite_file.open_to_read(self._file, READ_S) as connection:
            if connection is None:
                return []
            return [_kept(row) for row in connection.execute(query, values)]


def _kept(row: tuple[int, str, str, str, str | None, str, float]) -> KeptReview:
    return KeptReview(row[0], Review(*row[1:]))
