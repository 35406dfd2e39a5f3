"""Which results go where, and the columns that RDKit adds to them: also what in a batch is a duplicate, by
InChIKey, of what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO

from worker.answers.chemistry import Chemist, Chemistry
from worker.exports.base import COLUMNS, Columns, ExportRefused, Format
from worker.exports.csv import CsvFormat
from worker.exports.jsonl import JsonLinesFormat
from worker.exports.sdf import SdfFormat
from worker.queue import Queue, ResultChoice, ResultRow


def _parquet_format() -> Format:
    """Arrow is an extra of its own: with it the worker's packages take half as much again on disk."""
    try:
        from worker.exports.parquet import ParquetFormat
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "pyarrow":
            raise
        raise ExportRefused("parquet needs pyarrow: pip install 'cloud-monitor[parquet]'") from None
    return ParquetFormat()


FORMATS: dict[str, Callable[[], Format]] = {
    "csv": CsvFormat,
    "jsonl": JsonLinesFormat,
    "parquet": _parquet_format,
    "sdf": SdfFormat,
}
ALL = ResultChoice()
Choose = Callable[[Queue, str | None], Iterator[ResultRow]]
Add = Callable[[Iterator[ResultRow]], Iterator[ResultRow]]
NOTHING_ADDED: Add = iter


def by_confidence(choice: ResultChoice) -> Choose:
    def choose(queue: Queue, batch: str | None) -> Iterator[ResultRow]:
        return queue.results(batch) if choice == ALL else queue.chosen_results(batch, choice)

    return choose


EVERYTHING = by_confidence(ALL)


def export_to_stream(
    queue: Queue,
    form: str,
    stream: BinaryIO,
    batch: str | None,
    choose: Choose = EVERYTHING,
    columns: Columns = COLUMNS,
    add: Add = NOTHING_ADDED,
) -> int:
    """`choose` reads the results, `add` puts more to them, as the columns ask for it."""
    return FORMATS[form]().write(add(choose(queue, batch)), stream, columns)


def export_to_file(
    queue: Queue,
    form: str,
    path: Path,
    batch: str | None,
    resume: bool,
    choose: Choose = EVERYTHING,
    columns: Columns = COLUMNS,
    add: Add = NOTHING_ADDED,
) -> int:
    """To a new file; with `resume` to one that an earlier export wrote, complete or not, of which nothing is
    written again: also what was stored since then is added. How many results were written. Raises
    ExportRefused.
    """
    if not path.exists():
        return FORMATS[form]().append(add(choose(queue, batch)), path, columns)
    if not resume:
        raise ExportRefused(f"{path} is there already: add --resume to go on with it, or remove it")
    FORMATS[form]().mend(path)
    return FORMATS[form]().append(missing(queue, FORMATS[form](), path, batch), path, columns)


def missing(queue: Queue, form: Format, path: Path, batch: str | None) -> Iterator[ResultRow]:
    """Whole chunks are told by counting; of those the file has in part the images are looked up, which are
    few: what was being worked on when the export was made.
    """
    counts = Counter(chunk for chunk, _ in form.keys(path))
    rows = queue.results(batch, have=counts)
    partly = {chunk for chunk, count in queue.result_counts(batch) if 0 < counts[chunk] < count}
    there = {key for key in form.keys(path) if key[0] in partly} if partly else set()
    return (row for row in rows if row.chunk not in counts or (row.chunk, row.image) not in there)


NONE = Chemistry()


def with_chemistry(
    chemist: Chemist, with_molfile: bool
) -> Callable[[Iterator[ResultRow]], Iterator[ResultRow]]:
    """Of an image that was not recognised all is empty. `duplicate_of` names the first image of the batch, in
    the order of the export, that has the same InChIKey.
    """

    def add(rows: Iterator[ResultRow]) -> Iterator[ResultRow]:
        first: dict[tuple[str, str], str] = {}
        for row in rows:
            smiles = row.result.smiles
            found = NONE if smiles is None else chemist.describe(smiles, with_molfile)
            of = first.setdefault((row.batch, found.inchikey), row.image) if found.inchikey else row.image
            duplicate = "" if of == row.image else of
            yield replace(row, more={**asdict(found), "duplicate_of": duplicate})

    return add
