"""What the formats share: columns, what an earlier export has, and how it is named when it cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from worker.answers.confidence import written, written_or_none
from worker.errors import WorkerError
from worker.queue import ResultRow

COLUMNS = (
    "batch",
    "chunk",
    "image",
    "smiles",
    "error",
    "truncated",
    "tokens",
    "confidences",
    "sha256",
    "engine",
    "model",
    "precision",
    "worker",
    "host",
    "stored_at",
    "least_confidence",
    "mean_confidence",
    "notes",
)
Columns = tuple[str, ...]
LISTS = ("tokens", "confidences")  # by far the most of a row
WITHOUT_LISTS = tuple(name for name in COLUMNS if name not in LISTS)
OF_0_2_0 = COLUMNS[:15]  # before there were others
CHEMISTRY = (
    "canonical_smiles",
    "cxsmiles",
    "inchi",
    "inchikey",
    "formula",
    "mass",
    "refused",
    "duplicate_of",
)
REVIEW = ("image_hash", "verdict", "corrected_smiles", "reviewer", "reviewed_at")
KNOWN_COLUMNS = (WITHOUT_LISTS, COLUMNS, OF_0_2_0)
Key = tuple[int, str]  # chunk and image


class ExportRefused(WorkerError):
    """The file is there already, or is not what this program wrote."""


class Format(Protocol):
    def write(self, rows: Iterable[ResultRow], stream: BinaryIO, columns: Columns = COLUMNS) -> int:
        """A whole export; how many."""

    def append(self, rows: Iterable[ResultRow], path: Path, columns: Columns = COLUMNS) -> int:
        """Goes on with the file or folder, which may be missing; one that is there keeps its own columns. How
        many.
        """

    def mend(self, path: Path) -> None:
        """Cuts off what an interrupted export left half written. Raises ExportRefused."""

    def keys(self, path: Path) -> Iterator[Key]:
        """What is there. Raises ExportRefused."""


def own_columns(path: Path, names: Iterable[str]) -> Columns:
    """Those a file has, for going on with it. Raises ExportRefused where some are not the queue's."""
    columns = tuple(names)
    added = [name for name in columns if name not in COLUMNS]
    if added:
        raise ExportRefused(
            f"{path} has columns that --resume cannot fill ({', '.join(added)}): write it to a new file"
        )
    return columns


def portions(rows: Iterable[Any], size: int) -> Iterator[Sequence[Any]]:
    portion = []
    for row in rows:
        portion.append(row)
        if len(portion) == size:
            yield portion
            portion = []
    if portion:
        yield portion


def result_object(row: ResultRow, columns: Columns = COLUMNS) -> dict[str, Any]:
    result = row.result
    values = {
        "batch": row.batch,
        "chunk": row.chunk,
        "image": row.image,
        "smiles": result.smiles,
        "error": result.error,
        "truncated": result.truncated,
        "tokens": result.tokens,
        "confidences": [written(value) for value in result.confidences],
        "sha256": result.sha256,
        "engine": row.engine,
        "model": row.model,
        "precision": result.precision,
        "worker": row.worker,
        "host": row.host,
        "stored_at": row.stored_at,
        "least_confidence": written_or_none(result.least_confidence),
        "mean_confidence": written_or_none(result.mean_confidence),
        "notes": {note.name: note.evidence for note in result.notes},
    }
    if columns == COLUMNS:
        return values
    values |= row.more
    return {name: values[name] for name in columns}


class RecordFormat:
    """What formats share that write one text a result, each after the other and with nothing between."""

    def encode(self, row: ResultRow, columns: Columns) -> str:
        raise NotImplementedError

    def write(self, rows: Iterable[ResultRow], stream: BinaryIO, columns: Columns = COLUMNS) -> int:
        count = 0
        for count, row in enumerate(rows, 1):  # noqa: B007 - counts
            stream.write(self.encode(row, columns).encode())
        return count

    def append(self, rows: Iterable[ResultRow], path: Path, columns: Columns = COLUMNS) -> int:
        with path.open("ab") as stream:
            return self.write(rows, stream, columns)
