"""What HTCondor's own ads say of a grid: cores, memory, GPUs, slots, daemons, waiting times. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloud_monitor.metrics.catalog import BY_KEY
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Counts, Grid
from webapp.pages.tables import Column, Table, below, figure_label, natural, occurring, row_of, words

SHARES = ("total", "claimed", "idle", "unusable")
_RESOURCES = {"cores": "Cores", "memory_mb": f"Memory, {BY_KEY['memory_mb'].unit}", "gpus": "GPUs"}
_DAEMONS = ("schedd", "negotiator", "collector")


def resources_table(grid: Grid, view: SnapshotView) -> Table:
    """Cores, memory and GPUs of the pool; a resource that the pool has none of is left out."""
    shares = (*SHARES, *occurring(grid.resources.values(), SHARES))
    rows = (
        row_of(label, grid.resources[resource], shares, view, key=resource)
        for resource, label in _RESOURCES.items()
        if any(value.value for value in grid.resources.get(resource, {}).values())
    )
    columns = (Column(words(share), f"$.{share}", _TITLES.get(share, "")) for share in shares)
    return Table("Pool", "Resource", tuple(columns), tuple(rows), f"grids.{grid.name}")


_TITLES = {"unusable": "idle, but left over in slots whose cores or memory are used up"}


def slots_table(grid: Grid, view: SnapshotView) -> Table:
    states = tuple(occurring(grid.slots.values(), ())) or ("claimed", "unclaimed")
    return Table(
        "Slots",
        "Slot type",
        tuple(Column(words(state), below("slots", slottype="$", state=state)) for state in states),
        tuple(
            row_of(words(slot_type), counts, states, view, key=slot_type)
            for slot_type, counts in grid.slots.items()
        ),
        f"grids.{grid.name}",
    )


def daemon_tables(grid: Grid, view: SnapshotView) -> Iterator[Table]:
    """A table for each kind of daemon: a row for each figure, a column for each daemon."""
    for daemon in _DAEMONS:
        daemons: Mapping[str, Counts] = grid.condor.get(daemon, {})
        if not daemons:
            continue
        figures = sorted({figure for counts in daemons.values() for figure in counts})
        by_figure = {
            figure: {name: counts[figure] for name, counts in daemons.items() if figure in counts}
            for figure in figures
        }
        yield Table(
            words(daemon),
            "Figure",
            tuple(Column(name, f"condor.{daemon}.{name}.$") for name in daemons),
            tuple(
                row_of(_label(figure, by_figure[figure]), by_figure[figure], daemons, view, key=figure)
                for figure in figures
            ),
            f"grids.{grid.name}",
        )


def _label(figure: str, by_daemon: Counts) -> str:
    return figure_label(figure, next(iter(by_daemon.values())).path)


def waiting_table(grid: Grid, view: SnapshotView) -> Table:
    """How long idle jobs have been waiting, by type, `all` first."""
    columns = (
        Column(
            "Half, s",
            below("wait_p50", jobtype="$"),
            "half of the idle jobs have waited less than this, in seconds",
        ),
        Column(
            "95 %, s",
            below("wait_p95", jobtype="$"),
            "95 % of the idle jobs have waited less than this, in seconds",
        ),
    )
    names = sorted(grid.wait, key=lambda name: (name != "all", natural(name)))
    rows = (
        row_of("All" if name == "all" else name, grid.wait[name], ("p50_s", "p95_s"), view, key=name)
        for name in names
    )
    return Table("Waiting", "Type", columns, tuple(rows), f"grids.{grid.name}")
