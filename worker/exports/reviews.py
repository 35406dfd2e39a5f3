"""The columns that people's reviews add to an export: of a file or a page's `/api/reviews`, JSON lines."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import requests

from cloud_monitor.reviews import LINE_MAX, Review, read_line
from cloud_monitor.system.text import one_line
from cloud_monitor.telemetry.redact import redact_text
from worker.errors import WorkerError
from worker.exports.base import REVIEW
from worker.queue import ResultRow

AnswerKey = tuple[str, str]  # the picture's hash, the SMILES
TOGETHER = 500  # reviews
BLOCK_BYTES = 1 << 16
CONNECT_S, SILENCE_S = 10.0, 60.0
_SCHEMA = """CREATE TABLE reviews (
    image_hash TEXT NOT NULL, smiles TEXT NOT NULL, verdict TEXT NOT NULL, corrected_smiles TEXT,
    reviewer TEXT NOT NULL, reviewed_at REAL NOT NULL, PRIMARY KEY (image_hash, smiles)) WITHOUT ROWID"""


class ReviewsRefused(WorkerError):
    """The reviews cannot be had, or are none; the message names file or address, and the line."""


class ReviewTable:
    """Reviews by picture and answer, on disk beyond a few megabytes; gone when it is closed."""

    def __init__(self) -> None:
        self._sql = sqlite3.connect("", isolation_level=None)  # a file that SQLite alone knows
        self._sql.execute(_SCHEMA)
        self.matched = 0  # results that had one

    def add_all(self, reviews: Iterable[Review]) -> int:
        """Of those of one answer the last counts; how many there are. Raises ReviewsRefused."""
        try:
            self._sql.execute("BEGIN")
            self._sql.executemany("INSERT OR REPLACE INTO reviews VALUES (?, ?, ?, ?, ?, ?)", reviews)
            self._sql.execute("COMMIT")
        except sqlite3.Error as error:
            raise ReviewsRefused(f"temporary storage has no room for the reviews: {error}") from None
        return int(self._sql.execute("SELECT count(*) FROM reviews").fetchone()[0])

    def join(self, rows: Iterator[ResultRow]) -> Iterator[ResultRow]:
        """`image_hash` in each, the others where the very answer was reviewed."""
        query = (
            "SELECT verdict, corrected_smiles, reviewer, reviewed_at FROM reviews "
            "WHERE image_hash = ? AND smiles = ?"
        )
        for row in rows:
            picture = row.image_hash
            found = self._sql.execute(query, (picture, row.result.smiles)).fetchone()
            self.matched += found is not None
            values = (picture, *(found or (None,) * (len(REVIEW) - 1)))
            yield replace(row, more={**row.more, **dict(zip(REVIEW, values, strict=True))})

    def pieces(self) -> Iterator[Mapping[AnswerKey, str]]:
        """All verdicts by picture and SMILES, some hundred at a time."""
        rows = self._sql.cursor().execute("SELECT image_hash, smiles, verdict FROM reviews")
        while piece := rows.fetchmany(TOGETHER):
            yield {(picture, smiles): verdict for picture, smiles, verdict in piece}

    def find(self, keys: Collection[AnswerKey]) -> Mapping[AnswerKey, str]:
        """Those of these answers."""
        query = "SELECT verdict FROM reviews WHERE image_hash = ? AND smiles = ?"
        found = ((key, self._sql.execute(query, key).fetchone()) for key in keys)
        return {key: row[0] for key, row in found if row is not None}

    def close(self) -> None:
        self._sql.close()


def read_reviews(source: str) -> Iterator[Review]:
    """Of a file, or of an address (`https://...`), streamed. Raises ReviewsRefused."""
    is_address = source.lower().startswith(("http://", "https://"))
    named = redact_text(source) if is_address else source
    with _download(source, named) if is_address else _open(source, named) as blocks:
        for number, line in enumerate(_lines(blocks, named), 1):
            if not line.strip():
                continue
            try:
                yield read_line(line)
            except ValueError as error:
                raise ReviewsRefused(f"{named}, line {number}: {error}") from None


def _lines(blocks: Iterable[bytes], named: str) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
        if len(rest) > LINE_MAX:
            raise ReviewsRefused(f"{named}: a line has more than {LINE_MAX:,} bytes: these are no reviews")
    yield rest


@contextmanager
def _open(source: str, named: str) -> Iterator[Iterable[bytes]]:
    try:
        with Path(source).open("rb") as file:
            yield iter(partial(file.read, BLOCK_BYTES), b"")
    except (OSError, ValueError) as error:  # the latter: a name with NUL
        raise ReviewsRefused(f"cannot read {named}: {getattr(error, 'strerror', None) or error}") from None


@contextmanager
def _download(source: str, named: str) -> Iterator[Iterable[bytes]]:
    try:
        with requests.get(source, stream=True, timeout=(CONNECT_S, SILENCE_S)) as answer:
            if answer.status_code != 200:
                said = one_line(answer.raw.read(1000, decode_content=True).decode("utf-8", "replace"))
                raise ReviewsRefused(f"{named} answered {answer.status_code}: {said}")
            yield answer.iter_content(BLOCK_BYTES)
    except (requests.RequestException, ValueError) as error:
        why = redact_text(one_line(str(error)))
        raise ReviewsRefused(f"cannot read {named}: {type(error).__name__}: {why}") from None
