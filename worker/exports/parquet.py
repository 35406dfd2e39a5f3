"""Parquet: one file to a stream; on disk a folder of parts, which pandas, DuckDB and Arrow read as one table,
since a Parquet file can neither be added to nor read before it is closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from worker.exports.base import COLUMNS, Columns, ExportRefused, Key, own_columns, portions, result_object
from worker.queue import ResultRow

ROW_GROUP = 5_000  # rows
PART = 50_000  # rows
TYPES = {
    "chunk": pa.int64(),
    "truncated": pa.bool_(),
    "tokens": pa.list_(pa.string()),
    "confidences": pa.list_(pa.float32()),
    "stored_at": pa.float64(),
    "least_confidence": pa.float32(),
    "mean_confidence": pa.float32(),
    "mass": pa.float64(),
    "reviewed_at": pa.float64(),
    "notes": pa.map_(pa.string(), pa.string()),
}


class ParquetFormat:
    def write(self, rows: Iterable[ResultRow], stream: BinaryIO, columns: Columns = COLUMNS) -> int:
        count = 0
        with pq.ParquetWriter(stream, schema(columns), compression="zstd") as writer:
            for portion in portions(rows, ROW_GROUP):
                writer.write_table(table(portion, columns))
                count += len(portion)
        return count

    def append(self, rows: Iterable[ResultRow], path: Path, columns: Columns = COLUMNS) -> int:
        """Each part is written beside its place and renamed when it is whole."""
        path.mkdir(parents=True, exist_ok=True)
        number = len(list(parts(path)))
        columns = columns_of(path) or columns
        count = 0
        for portion in portions(rows, PART):
            number += 1
            partial = path / f"part-{number:05}.parquet.partial"
            with partial.open("wb") as stream:
                count += self.write(portion, stream, columns)
            partial.replace(partial.with_suffix(""))
        return count

    def mend(self, path: Path) -> None:
        if not path.is_dir():
            raise ExportRefused(
                f"{path} is a file: an export to Parquet that can be resumed is a folder of parts"
            )
        for partial in path.glob("part-*.parquet.partial"):
            partial.unlink()

    def keys(self, path: Path) -> Iterator[Key]:
        for part in parts(path):
            try:
                with pq.ParquetFile(part) as file:
                    for batch in file.iter_batches(columns=["chunk", "image"]):
                        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
            except (pa.ArrowException, KeyError) as error:
                raise ExportRefused(f"{part}: not a part of results: {error}") from None


def parts(path: Path) -> list[Path]:
    return sorted(path.glob("part-*.parquet"))


def columns_of(path: Path) -> Columns | None:
    """Those of the first part, which readers take for all: an export goes on as it began."""
    there = parts(path)
    return own_columns(path, pq.read_schema(there[0]).names) if there else None


def schema(columns: Columns) -> pa.Schema:
    return pa.schema([(name, TYPES.get(name, pa.string())) for name in columns])


def table(rows: Iterable[ResultRow], columns: Columns) -> pa.Table:
    return pa.Table.from_pylist([exact_object(row, columns) for row in rows], schema=schema(columns))


def exact_object(row: ResultRow, columns: Columns) -> dict[str, object]:
    """As elsewhere, with confidences to the last digit."""
    result = row.result
    exact = {
        "confidences": result.confidences,
        "least_confidence": result.least_confidence,
        "mean_confidence": result.mean_confidence,
    }
    return result_object(row, columns) | exact
