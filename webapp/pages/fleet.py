"""The worker fleet as Graphite knows it: chunks, images, hosts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from webapp.moment import Moment
from webapp.pages.cells import BAD
from webapp.pages.tables import Column, Table, figure_label, row_of, words
from webapp.tree import Fleet

_TONES = {"failed": BAD, "dead": BAD, "error": BAD}
_ORDER = ("pending", "active", "done", "failed", "total")


def work_table(grid: str, fleet: Fleet, moment: Moment) -> Table:
    """Chunks and images by status."""
    kinds = {"chunks": fleet.chunks, "images": fleet.images}
    statuses = sorted({status for counts in kinds.values() for status in counts}, key=_place)
    return Table(
        "Fleet",
        "Work",
        tuple(Column(words(status), f"fleet.$.{status}") for status in statuses),
        tuple(
            row_of(words(kind), counts, statuses, moment, _TONES, key=kind)
            for kind, counts in kinds.items()
            if counts
        ),
        f"grids.{grid}",
    )


def workers_table(grid: str, fleet: Fleet, moment: Moment) -> Table:
    """Hosts of the fleet with the figures each of them reports."""
    figures: Sequence[str] = sorted(
        {figure for counts in fleet.hosts.values() for figure in counts}, key=_place
    )
    return Table(
        "Hosts",
        "Host",
        tuple(Column(figure_label(figure, ""), f"fleet.hosts.$.{figure}") for figure in figures),
        tuple(row_of(host, counts, figures, moment) for host, counts in fleet.hosts.items()),
        f"grids.{grid}",
    )


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)
