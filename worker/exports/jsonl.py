"""JSON lines: one object an image, as in the workers' own result files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from worker.exports.base import COLUMNS, Columns, ExportRefused, Key, RecordFormat, own_columns, result_object
from worker.queue import ResultRow

BEGINNING = b'{"batch":'  # of every line


class JsonLinesFormat(RecordFormat):
    def encode(self, row: ResultRow, columns: Columns) -> str:
        return result_line(row, columns)

    def append(self, rows: Iterable[ResultRow], path: Path, columns: Columns = COLUMNS) -> int:
        return super().append(rows, path, columns_of(path) or columns)

    def mend(self, path: Path) -> None:
        end = 0
        with path.open("r+b") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    end += len(line)
                elif not BEGINNING.startswith(line[: len(BEGINNING)]):
                    raise no_result(path, number)
            file.truncate(end)

    def keys(self, path: Path) -> Iterator[Key]:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    values = json.loads(line)
                    yield values["chunk"], values["image"]
                except (ValueError, KeyError, TypeError):
                    raise no_result(path, number) from None


def columns_of(path: Path) -> Columns | None:
    """Those of the first line; None of an empty file."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        line = file.readline()
    return own_columns(path, json.loads(line)) if line else None


def no_result(path: Path, number: int) -> ExportRefused:
    return ExportRefused(f"{path}, line {number}: not a line of results")


def result_line(row: ResultRow, columns: Columns = COLUMNS) -> str:
    return json.dumps(result_object(row, columns), ensure_ascii=False, separators=(",", ":")) + "\n"


def write_result_file(path: Path, rows: Iterable[ResultRow]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(result_line(row))
