"""The pages about one grid, one cloud, one host: findings, small plots of main figures, all tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from cloud_monitor.metrics.catalog import BY_KEY
from webapp.model.health import CHUNKS_FAILED, FLEET_HELD, Finding, Health, worst
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Cloud, Counts, Grid, Host, Value
from webapp.pages.cells import BAD, WARN, Cell, show
from webapp.pages.fleet import failures_table, pace_table, work_table, workers_table
from webapp.pages.happened import HappenedLine
from webapp.pages.hosts import azure_tables, figures_table, heartbeat_cell, path_above, sources_table
from webapp.pages.jobs import held_table, jobs_table
from webapp.pages.pool import daemon_tables, slots_table, waiting_table
from webapp.pages.status import AddressOf, GridCard, grid_card
from webapp.pages.tables import Column, Row, Table, below, natural, row_of, words


@dataclass(frozen=True, slots=True)
class Spark:
    """A small plot with the value of now."""

    label: str
    path: str
    unit: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class DetailPage:
    title: str
    trail: tuple[tuple[str, str], ...]  # names and addresses of what is above
    finding: Finding
    findings: tuple[Finding, ...]
    sparks: tuple[Spark, ...]
    heartbeats: tuple[Cell, ...]
    tables: tuple[Table, ...]
    card: GridCard | None = None
    lists: tuple[tuple[str, str], ...] = ()  # names and addresses of lists of VMs and jobs
    tools: tuple[tuple[str, str], ...] = ()  # and of other tools that know more about it
    happened: tuple[HappenedLine, ...] = ()  # the newest first


def grid_page(grid: Grid, health: Health, columns: Sequence[str], link: AddressOf) -> DetailPage:
    view, at = health.view, f"grids.{grid.name}"
    card = grid_card(grid, health, columns, link)
    tables = (
        slots_table(grid, view),
        held_table(grid, view),
        waiting_table(grid, view),
        jobs_table(grid.users, health, at, caption="Users", heading="User", below="users"),
        jobs_table(grid.groups, health, at, caption="Accounting groups", heading="Group", below="groups"),
        *daemon_tables(grid, view),
        workers_table(grid.name, grid.fleet, view),
        *azure_tables(grid, view),
    )
    return DetailPage(
        title=card.label,
        trail=(),
        finding=card.finding,
        findings=health.grid_findings(grid),
        sparks=tuple(_grid_sparks(grid, view)),
        heartbeats=card.heartbeats,
        tables=tuple(table for table in tables if not table.is_empty),
        card=card,
    )


def _grid_sparks(grid: Grid, view: SnapshotView) -> Iterator[Spark]:
    states = grid.total.states
    for label, value, tone in (
        ("Running VMs", states.get("running"), ""),
        ("VMs in error", states.get("error"), BAD),
        ("Idle VMs", grid.total.idle if grid.clouds else None, ""),
        ("Running jobs", grid.jobs.get("all", {}).get("running"), ""),
        ("Idle jobs", grid.jobs.get("all", {}).get("idle"), ""),
        ("Held jobs", grid.jobs.get("all", {}).get("held"), WARN),
        ("Cores claimed", grid.resources.get("cores", {}).get("claimed"), ""),
        ("Load", grid.own.sysinfo.get("load"), ""),
    ):
        yield from _spark(label, value, view, tone=tone)


def cloud_page(grid: Grid, cloud: Cloud, health: Health, link: AddressOf) -> DetailPage:
    view, at = health.view, f"grids.{grid.name}.clouds.{cloud.name}"
    tables = (
        _settings_table(cloud, view, at),
        _vms_table(cloud, view, at),
        _slots_table(cloud, view, at),
        jobs_table(cloud.jobs, health, at),
        figures_table("VMs by the cloud's own count", cloud.api_vms, view, at, "api-vms.", with_units=False),
        _shares_table(cloud, view, at),
    )
    return DetailPage(
        title=cloud.name,
        trail=((health.grid_label(grid.name), link("grid.show", grid=grid.name)),),
        finding=health.cloud(cloud),
        findings=health.cloud_findings(cloud),
        sparks=tuple(_cloud_sparks(cloud, view)),
        heartbeats=(),
        tables=tuple(table for table in tables if not table.is_empty),
    )


def _cloud_sparks(cloud: Cloud, view: SnapshotView) -> Iterator[Spark]:
    for state, value in cloud.total.states.items():
        if state in ("total", "running", "starting", "error") or value.value:
            label = "VMs" if state == "total" else f"{words(state)} VMs"
            yield from _spark(label, value, view, tone=BAD if state == "error" else "")
    yield from _spark("Idle VMs", cloud.total.idle, view)
    yield from _spark("Lost VMs", cloud.total.lost, view, tone=WARN)
    yield from _spark("Unregistered VMs", cloud.total.unreg, view, tone=WARN)
    yield from _spark("Running jobs", cloud.jobs.get("all", {}).get("running"), view)


def _settings_table(cloud: Cloud, view: SnapshotView, at: str) -> Table:
    labels = {
        "quota": "Quota, VMs",
        "enabled": "Enabled",
        "reachable": "Reachable",
        "mips": "MIPS",
        "kflops": "KFLOPS",
    }
    rows = (
        Row(label, (show(value, view),), key=name)
        for name, label in labels.items()
        if (value := getattr(cloud, name)).value is not None
    )
    return Table("Cloud", "Figure", (Column("Now", "$"),), tuple(rows), at)


def _vms_table(cloud: Cloud, view: SnapshotView, at: str) -> Table:
    states = [*cloud.total.states]
    states.sort(key=lambda state: (state != "total", state))
    columns = [
        Column("VMs" if state == "total" else words(state), below("cloud_vms", vmtype="$", status=state))
        for state in states
    ]
    columns += [
        Column(words(figure), below(f"cloud_{figure}", vmtype="$")) for figure in ("idle", "lost", "unreg")
    ]
    tones = {"error": BAD, "lost": WARN, "unreg": WARN}
    rows = (
        row_of(
            row.name,
            {**row.states, "idle": row.idle, "lost": row.lost, "unreg": row.unreg},
            (*states, "idle", "lost", "unreg"),
            view,
            tones,
        )
        for row in cloud.vmtypes
    )
    return Table("VMs by type", "VM type", tuple(columns), tuple(rows), at)


def _slots_table(cloud: Cloud, view: SnapshotView, at: str) -> Table:
    slots = sorted(cloud.total.slots, key=natural)
    columns = tuple(
        Column(
            slot.removeprefix("slot1_"), below("cloud_slots", vmtype="$", slot=slot), f"VMs that use {slot}"
        )
        for slot in slots
    )
    rows = tuple(row_of(row.name, row.slots, slots, view) for row in cloud.vmtypes if row.slots)
    return Table("Slots in use", "VM type", columns, rows, at)


def _shares_table(cloud: Cloud, view: SnapshotView, at: str) -> Table:
    resources: Mapping[str, Counts] = {"cores": cloud.cores, "memory_mb": cloud.memory_mb}
    shares = sorted({share for counts in resources.values() for share in counts})
    labels = {"cores": "Cores", "memory_mb": f"Memory, {BY_KEY['cloud_memory'].unit}"}
    rows = (
        row_of(labels[name], counts, shares, view, key=name) for name, counts in resources.items() if counts
    )
    columns = tuple(Column(words(share), f"$.{share}") for share in shares)
    return Table("Quotas of the cloud", "Resource", columns, tuple(rows), at)


_HOST_SPARKS = (
    ("Load", "load", ""),
    ("CPU", "cpu", "%"),
    ("RAM", "ram", "%"),
    ("Swap", "swap", "%"),
    ("Disk", "disk", "%"),
    ("Received", "net_in", "B/s"),
    ("Sent", "net_out", "B/s"),
)


def host_page(grid: Grid, host: Host, health: Health, link: AddressOf) -> DetailPage:
    view, at = health.view, path_above(grid, host)
    tables = (
        figures_table("Host", host.sysinfo, view, at, "sysinfo."),
        figures_table("File systems", host.disks, view, at, "sysinfo.disks."),
        figures_table("Collector", host.collector, view, at, "collector."),
        sources_table(host, view, at),
        *(
            figures_table(f"Delivery to {name}", counts, view, at, f"collector.destinations.{name}.")
            for name, counts in host.destinations.items()
        ),
        figures_table("Commands of the operator", host.commands, view, at, "commands."),
    )
    return DetailPage(
        title=host.name,
        trail=((health.grid_label(grid.name), link("grid.show", grid=grid.name)),),
        finding=health.host(grid, host),
        findings=health.host_findings(grid, host),
        sparks=tuple(
            spark
            for label, name, unit in _HOST_SPARKS
            for spark in _spark(label, host.sysinfo.get(name), view, unit=unit)
        ),
        heartbeats=tuple(
            heartbeat_cell(health.heartbeat_label(service), value, view)
            for service, value in host.heartbeats.items()
        ),
        tables=tuple(table for table in tables if not table.is_empty),
    )


class QueueView(NamedTuple):
    """What the queue itself says of a fleet, or, where it cannot be read, why not."""

    tables: tuple[Table, ...]
    findings: tuple[Finding, ...]
    is_read: bool


def fleet_page(health: Health, link: AddressOf, queue: QueueView | None = None) -> DetailPage:
    """The worker fleet of every grid that has one, behind what its queue says, where that was asked."""
    view = health.view
    grids = [grid for grid in view.snapshot.grids if grid.fleet.chunks or grid.fleet.hosts]
    named = [(health.grid_label(grid.name), grid) for grid in grids]
    tables = [
        table
        for name, grid in named
        for table in (
            _renamed(work_table(grid.name, grid.fleet, view), f"Work of {name}"),
            _renamed(pace_table(grid.name, grid.fleet, view), f"Pace of {name}"),
            _renamed(failures_table(grid.name, grid.fleet, view), f"Failed images of {name}"),
            _renamed(workers_table(grid.name, grid.fleet, view), f"Hosts of {name}"),
        )
    ]
    sparks = [
        spark
        for name, grid in named
        for status in ("pending", "active", "done", "failed")
        for spark in _spark(
            f"{name}: {status} chunks",
            grid.fleet.chunks.get(status),
            view,
            tone=BAD if status == "failed" else "",
        )
    ]
    # Of one fleet what the queue says itself is the truth; what was sent of it says the same a minute later.
    is_told = queue is not None and queue.is_read and len(grids) == 1
    findings = health.fleet_findings((CHUNKS_FAILED, FLEET_HELD) if is_told else ())
    if queue is not None:
        tables[:0], findings = queue.tables, (*queue.findings, *findings)
    return DetailPage(
        title="Fleet",
        trail=(),
        finding=worst(findings),
        findings=findings,
        sparks=tuple(sparks),
        heartbeats=(),
        tables=tuple(table for table in tables if not table.is_empty),
    )


def _renamed(table: Table, caption: str) -> Table:
    return replace(table, caption=caption)


def _spark(
    label: str, value: Value | None, view: SnapshotView, *, unit: str = "", tone: str = ""
) -> Iterator[Spark]:
    """A small plot, where the figure is there at all."""
    if value is not None and value.value is not None:
        yield Spark(label, value.path, unit, show(value, view, tone=tone))
