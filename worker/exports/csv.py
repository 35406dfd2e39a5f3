"""Comma-separated values as in RFC 4180; tokens and confidences are JSON lists, notes a JSON object, a
missing SMILES is empty. An image whose path a spreadsheet would take for a formula stands there with ./
before it: the same place. So does one that begins with ./ itself, so that every path can be told from every
other. Any other text that begins like a formula has a blank before it, also a SMILES, which is none then: a
parser of SMILES skips the blank, and the other formats change nothing.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from worker.exports.base import (
    CHEMISTRY,
    COLUMNS,
    KNOWN_COLUMNS,
    REVIEW,
    Columns,
    ExportRefused,
    Key,
    portions,
    result_object,
)
from worker.queue import ResultRow

PORTION = 500  # rows written together
HERE = "./"
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a spreadsheet knows one
MARKED = (*FORMULA, HERE)  # paths that begin so
NESTED = ("tokens", "confidences", "notes")  # as JSON
PATHS = ("image", "duplicate_of")
TEXTS = (
    *("batch", "smiles", "error", "engine", "model", "precision", "worker", "host"),
    *(name for name in CHEMISTRY if name not in ("mass", "duplicate_of")),
    *(name for name in REVIEW if name != "reviewed_at"),
)


class CsvFormat:
    def write(self, rows: Iterable[ResultRow], stream: BinaryIO, columns: Columns = COLUMNS) -> int:
        stream.write(encode([columns]))
        return write_rows(rows, stream, columns)

    def append(self, rows: Iterable[ResultRow], path: Path, columns: Columns = COLUMNS) -> int:
        own = columns_of(path) if path.exists() else None
        with path.open("ab") as stream:
            return self.write(rows, stream, columns) if own is None else write_rows(rows, stream, own)

    def mend(self, path: Path) -> None:
        end = max((end for _, end in records(path)), default=0)
        headings = [encode([columns]) for columns in KNOWN_COLUMNS]
        with path.open("r+b") as file:
            begun = file.read(max(len(heading) for heading in headings))
            if end == 0 and not any(heading.startswith(begun) for heading in headings):
                raise other_columns(path)
            file.truncate(end)

    def keys(self, path: Path) -> Iterator[Key]:
        for record, _ in records(path):
            if record[1] != COLUMNS[1]:
                yield int(record[1]), record[2].removeprefix(HERE)


def columns_of(path: Path) -> Columns | None:
    """Those of a file of results, also of an earlier version's; None of an empty one."""
    return next((tuple(record) for record, _ in records(path)), None)


def write_rows(rows: Iterable[ResultRow], stream: BinaryIO, columns: Columns) -> int:
    count = 0
    for portion in portions(rows, PORTION):
        stream.write(encode([cells(row, columns) for row in portion]))
        count += len(portion)
    return count


def cells(row: ResultRow, columns: Columns = COLUMNS) -> list[object]:
    values = result_object(row, columns)
    nested = {name: json.dumps(values[name], ensure_ascii=False) for name in NESTED if name in columns}
    paths = {name: _path(values[name]) for name in PATHS if name in columns}
    texts = {name: guarded(values[name]) for name in TEXTS if name in columns}
    return [(values | nested | texts | paths)[name] for name in columns]


def _path(image: str) -> str:
    return f"{HERE}{image}" if image.startswith(MARKED) else image


def guarded(text: str | None) -> str | None:
    """No formula to a spreadsheet, whatever a recogniser, a host's name or an error begins with."""
    return f" {text}" if text is not None and text.startswith(FORMULA) else text


def encode(records: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(records)
    return text.getvalue().encode()


def records(path: Path) -> Iterator[tuple[list[str], int]]:
    """Complete records with the position after each; one cut off at the end is left out. Raises
    ExportRefused.
    """
    position = 0
    closed = True  # the last line read ended with a line break

    def lines() -> Iterator[str]:
        nonlocal position, closed
        with path.open("rb") as file:
            for line in file:
                position += len(line)
                closed = line.endswith(b"\n")
                yield line.decode(errors="replace")

    width = 0
    for number, record in enumerate(csv.reader(lines())):
        if number == 0 and closed and tuple(record) not in KNOWN_COLUMNS:
            raise other_columns(path)
        width = width or len(record)
        if closed and len(record) == width:
            yield record, position


def other_columns(path: Path) -> ExportRefused:
    return ExportRefused(f"{path} is not a CSV file of results: its columns are others")
