"""What a grid stands on: its head nodes with their collector and its sources, and Azure's own view of its
machines. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloud_monitor.metrics.catalog import BY_KEY
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Counts, Grid, Host, Value
from webapp.pages.cells import BAD, Cell, show
from webapp.pages.tables import Column, Row, Table, below, figure_label, natural, row_of, words

_SHOWN = {"load": "Load", "cpu": "CPU", "ram": "RAM", "swap": "Swap", "si": "In", "so": "Out", "disk": "Disk"}
SYSINFO = tuple(
    Column(label, below(metric.key), f"{metric.meaning}{metric.unit and ', '}{metric.unit}")
    for figure, label in _SHOWN.items()
    for metric in (BY_KEY[f"sysinfo_{figure}"],)
)
_VMS = {"cpu_pct": "CPU, %", "memory_available_pct": "Memory free, %", "disk_pct": "Disk, %"}
_DISK = "of the operations or bandwidth that the busiest disk may do"
_STORAGE = {"used_mb": "Used, MB", "limit_mb": "Limit, MB", "used_pct": "Used, %"}
_QUOTAS = {"used": "Used", "limit": "Limit", "used_pct": "Used, %"}


def path_above(grid: Grid, host: Host) -> str:
    """The path above a host's figures: a grid's own head node has the grid's."""
    return f"grids.{grid.name}" if host is grid.own else f"grids.{grid.name}.hosts.{host.name}"


def hosts_table(grid: Grid, view: SnapshotView, link: str) -> Table:
    """The grid's head node and further ones; `link` leads to a host's page once its name is put behind it."""
    rows = (
        row_of(host.name, host.sysinfo, _SHOWN, view, at=path_above(grid, host), link=link + host.name)
        for host in (grid.own, *grid.hosts)
        if host.sysinfo
    )
    return Table("Head node" if not grid.hosts else "Head nodes", "Host", SYSINFO, tuple(rows))


def figures_table(
    caption: str, counts: Counts, view: SnapshotView, at: str, prefix: str = "", *, with_units: bool = True
) -> Table:
    """Figures one below the other, for a page about one thing."""
    rows = (
        Row(
            figure_label(name, value.path) if with_units else words(name),
            (show(value, view),),
            key=name,
            at=at,
        )
        for name, value in counts.items()
        if isinstance(value, Value)
    )
    return Table(caption, "Figure", (Column("Now", f"{prefix}$"),), tuple(rows), at)


def sources_table(host: Host, view: SnapshotView, at: str) -> Table:
    figures = ("duration_s", "points", "failed")
    columns = (
        Column("Took, s", below("source_duration", source="$")),
        Column("Points", below("source_points", source="$")),
        Column("Failed", below("source_failed", source="$")),
    )
    rows = (row_of(name, counts, figures, view, {"failed": BAD}) for name, counts in host.sources.items())
    return Table("Sources of the collector", "Source", columns, tuple(rows), at)


def peers_cells(grid: Grid, view: SnapshotView) -> Iterator[Cell]:
    """`2 of 3 schedds`, where a grid's sums lack what those that do not answer would have added."""
    for peers, counts in grid.figures.table("peers").items():
        asked, answered = counts.get("asked"), counts.get("answered")
        if asked is None or answered is None or not (view.is_fresh(asked) and view.is_fresh(answered)):
            continue
        if (answered.value or 0) < (asked.value or 0):
            text = f"{answered.value:g} of {asked.value:g} {peers}"
            yield Cell(text, "hb warn", "Sums are of those that answered", answered.path)


def heartbeat_cell(name: str, value: Value, view: SnapshotView) -> Cell:
    """A service's state and the age of its last sign of life, told by sign and word, not only by colour."""
    shown = show(value, view, path=True)
    if shown.css in ("s", "m"):
        return Cell(f"{name} lost, {view.age(value)}", "hb stale", "No heartbeat for that long", value.path)
    if value.value == 0:
        return Cell(f"{name} down", "hb bad", f"Did not answer {view.age(value)} ago", value.path)
    return Cell(f"{name} {view.age(value)}", "hb ok", f"Answered {view.age(value)} ago", value.path)


def azure_tables(grid: Grid, view: SnapshotView) -> Iterator[Table]:
    at, found = f"grids.{grid.name}", grid.figures
    yield Table(
        "Azure: VMs",
        "VM",
        tuple(
            Column(label, below(f"azure_vm_{figure}", vm="$"), _DISK if figure == "disk_pct" else "")
            for figure, label in _VMS.items()
        ),
        tuple(
            row_of(name, counts, _VMS, view)
            for name, counts in sorted(found.table("azure_vms").items(), key=lambda pair: natural(pair[0]))
        ),
        at,
    )
    yield Table(
        "Azure: storage accounts",
        "Account",
        tuple(
            Column(label, below(f"azure_storage_{figure}", account="$")) for figure, label in _STORAGE.items()
        ),
        tuple(row_of(name, counts, _STORAGE, view) for name, counts in found.table("azure_storage").items()),
        at,
    )
    yield Table(
        "Azure: quotas",
        "Quota",
        tuple(Column(label, f"azure.quotas.$.{figure}") for figure, label in _QUOTAS.items()),
        tuple(
            row_of(f"{place} / {quota}", counts, _QUOTAS, view, key=f"{place}.{quota}")
            for place, quotas in _quotas(grid).items()
            for quota, counts in quotas.items()
        ),
        at,
    )
    yield figures_table("Azure: answers", found.counts("azure"), view, at, "azure.")


def _quotas(grid: Grid) -> Mapping[str, Mapping[str, Counts]]:
    """Place -> quota -> figure -> value."""
    found: Mapping[str, Mapping[str, Counts]] = grid.figures.by_family.get("azure_quotas", {})
    return found
