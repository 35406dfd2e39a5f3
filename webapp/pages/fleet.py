"""The worker fleet as Graphite knows it: chunks, images, hosts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from cloud_monitor.system.text import age_text
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Fleet, Value
from webapp.pages.cells import BAD, NOTHING, WARN, Cell, show
from webapp.pages.tables import Column, Row, Table, below, figure_label, row_of, words

_TONES = {"failed": BAD, "dead": BAD, "error": BAD}
_PACE = {
    "images_per_s": "Images a second",
    "eta_s": "Done in",
    "oldest_pending_s": "Oldest waiting chunk",
    "next_deadline_s": "Next deadline in",
    "cost_per_1000_images": "Cost of 1000 images",
}
_SPANS = frozenset({"eta_s", "oldest_pending_s", "next_deadline_s"})
_ORDER = ("pending", "active", "done", "failed", "total")


def work_table(grid: str, fleet: Fleet, view: SnapshotView) -> Table:
    """Chunks and images by status."""
    work = {"chunks": fleet.chunks, "images": fleet.images}
    statuses = sorted({status for counts in work.values() for status in counts}, key=_by_status)
    return Table(
        "Fleet",
        "Work",
        tuple(Column(words(status), f"fleet.$.{status}") for status in statuses),
        tuple(
            row_of(words(unit), counts, statuses, view, _TONES, key=unit)
            for unit, counts in work.items()
            if counts
        ),
        f"grids.{grid}",
    )


def pace_table(grid: str, fleet: Fleet, view: SnapshotView) -> Table:
    """How fast the work goes, how long until it is done and due, deadlines met and missed."""
    pace = {key: (label, fleet.figures[key]) for key, label in _PACE.items() if key in fleet.figures}
    deadlines = {
        f"deadlines.{status}": (f"Deadlines {status}", value) for status, value in fleet.deadlines.items()
    }
    rows = (
        Row(label, (_pace_cell(key, value, view),), key) for key, (label, value) in (pace | deadlines).items()
    )
    return Table("Pace", "Figure", (Column("Now", "fleet.$"),), tuple(rows), f"grids.{grid}")


def _pace_cell(key: str, value: Value, view: SnapshotView) -> Cell:
    cell = show(value, view, tone=WARN if key == "deadlines.missed" else "")
    if key in _SPANS and cell.text != NOTHING and value.value is not None:
        return cell._replace(text=age_text(value.value))
    return cell


def failures_table(grid: str, fleet: Fleet, view: SnapshotView) -> Table:
    """Images whose result is an error, by its kind."""
    rows = (Row(error, (show(value, view, tone=WARN),), error) for error, value in fleet.failures.items())
    return Table(
        "Failed images",
        "Error",
        (Column("Images", below("fleet_failures", kind="$")),),
        tuple(rows),
        f"grids.{grid}",
    )


def workers_table(grid: str, fleet: Fleet, view: SnapshotView) -> Table:
    """Hosts of the fleet with the figures each of them reports."""
    figures: Sequence[str] = sorted(
        {figure for counts in fleet.hosts.values() for figure in counts}, key=_by_status
    )
    return Table(
        "Hosts",
        "Host",
        tuple(
            Column(figure_label(figure, ""), below(f"fleet_host_{figure}", host="$")) for figure in figures
        ),
        tuple(row_of(host, counts, figures, view) for host, counts in fleet.hosts.items()),
        f"grids.{grid}",
    )


def _by_status(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)
