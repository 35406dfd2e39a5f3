"""Plain tables of figures: rows of what is alike, columns of figures, each cell plottable. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloud_monitor.metrics.catalog import BY_KEY
from cloud_monitor.metrics.paths import PathRefused, parse_path
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Counts, Value
from webapp.pages.cells import Cell, show


@dataclass(frozen=True, slots=True)
class Column:
    """`metric` is the rest of a path below that of the table or row, `$` standing for the row's name."""

    label: str
    metric: str = ""
    title: str = ""


def below(key: str, **names: str) -> str:
    """The rest of a metric's path below its grid, host or cloud, as a Column has it."""
    template = BY_KEY[key].template
    for above in ("grids.{grid}.", "clouds.{cloud}."):
        template = template.removeprefix(above)
    return template.format(**names)


@dataclass(frozen=True, slots=True)
class Row:
    """`key` fills the `$` of the columns' metrics; `at` is the path above, where it is another."""

    name: str
    cells: tuple[Cell, ...]
    key: str = ""
    at: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`at` is the path above the columns' metrics."""

    caption: str
    heading: str  # of the column of names
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    at: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.rows

    def has_words(self, column: int) -> bool:
        """Whether words stand in a column, which begin where its heading does."""
        return any("t" in row.cells[column].css.split() for row in self.rows)


def words(name: str) -> str:
    """A status as a column's heading: `transferring_output` is Transferring output."""
    spaced = name.replace("_", " ").replace("-", " ")
    return spaced[:1].upper() + spaced[1:]


def figure_label(name: str, path: str) -> str:
    """A figure's name with its unit from the catalog: `wait_sum_s` is Wait sum, s."""
    try:
        unit = parse_path(path).metric.unit
    except PathRefused:
        unit = ""
    for suffix, meant in _SUFFIXES.items():
        if name.endswith(suffix) and unit in ("", *meant):
            name, unit = name.removesuffix(suffix), unit or meant[0]
    label = _NAMES.get(name, words(name))
    return f"{label}, {unit}" if unit and unit.lower() != label.lower() else label


_SUFFIXES = {"_s": ("s",), "_mb": ("MB", "MiB"), "_pct": ("%",)}
_NAMES = {"cpu": "CPU", "ram": "RAM", "si": "Swapped in", "so": "Swapped out"}


def natural(name: str) -> tuple[tuple[int, str | int], ...]:
    """The key that puts slot1_10 behind slot1_2."""
    return tuple(
        (1, int(part)) if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name) if part
    )


def occurring(counts: Iterable[Counts], besides: Iterable[str]) -> list[str]:
    """Names that stand for something other than zero somewhere, without those named in `besides`."""
    left_out = set(besides)
    return sorted(
        {name for each in counts for name, value in each.items() if value.value and name not in left_out}
    )


def row_of(
    name: str,
    counts: Mapping[str, Value],
    figures: Iterable[str],
    view: SnapshotView,
    tones: Mapping[str, str] | None = None,
    *,
    key: str = "",
    at: str = "",
    link: str = "",
) -> Row:
    """A row of the named figures out of `counts`; one that is absent is shown as missing."""
    tone = tones or {}
    cells = (show(counts.get(each), view, tone=tone.get(each, "")) for each in figures)
    return Row(name, tuple(cells), key or name, at, link)
