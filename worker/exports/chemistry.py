"""The columns that RDKit adds to an export, and what in a batch is a duplicate of what, by InChIKey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

from worker.answers.chemistry import Chemist, Chemistry
from worker.queue import ResultRow

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
