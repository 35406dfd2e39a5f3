"""Azure's own view of a grid's machines: VMs, storage accounts, quotas, and how old that is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Counts, Grid
from webapp.pages.hosts import figures_table
from webapp.pages.tables import Column, Table, below, natural, row_of

_VMS = {"cpu_pct": "CPU, %", "memory_available_pct": "Memory free, %", "disk_pct": "Disk, %"}
_DISK = "of the operations or bandwidth that the busiest disk may do"
_STORAGE = {"used_mb": "Used, MB", "limit_mb": "Limit, MB", "used_pct": "Used, %"}
_QUOTAS = {"used": "Used", "limit": "Limit", "used_pct": "Used, %"}


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
