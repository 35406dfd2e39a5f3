"""SDF: a molfile an image with its figures as data, as chemistry programs read it (extra `chemistry`). What
has no structure, an error or what RDKit refuses, is there with a molfile of no atoms, and why: nothing is
left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cloud_monitor.system.text import without_controls
from worker.exports.base import LISTS, Columns, ExportRefused, Key, RecordFormat, result_object
from worker.queue import ResultRow

NO_STRUCTURE = "\n     no structure\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n"
END = "$$$$"
MARKS = (">", "$")  # how a line begins that means something


class SdfFormat(RecordFormat):
    def encode(self, row: ResultRow, columns: Columns) -> str:
        return record(row, columns)

    def mend(self, path: Path) -> None:
        raise ExportRefused(f"{path}: an export to SDF cannot be gone on with; remove it")

    def keys(self, path: Path) -> Iterator[Key]:
        raise ExportRefused(f"{path}: an export to SDF cannot be gone on with; remove it")


def record(row: ResultRow, columns: Columns) -> str:
    """The image's name is the molecule's."""
    values = result_object(row, tuple(name for name in columns if name not in LISTS))
    molfile = str(row.more.get("molfile") or NO_STRUCTURE)
    lines = [line_of(row.image), molfile.partition("\n")[2].rstrip("\n")]
    for name, value in values.items():
        if name == "notes":
            value = "; ".join(f"{note}: {evidence}" for note, evidence in value.items())
        if value not in (None, ""):
            lines += [f">  <{name}>", line_of(str(value)), ""]
    return "\n".join([*lines, END, ""])


def line_of(text: str) -> str:
    """One line that no reader takes for the end of a record or the name of data."""
    line = without_controls(text)
    return f" {line}" if line.startswith(MARKS) else line
