"""The table of a grid's clouds by VM type: states, idle, lost, unregistered, slots, held. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webapp.model.build import add_up
from webapp.model.health import Finding, Health
from webapp.model.options import DEFAULT_COLUMNS, STATES
from webapp.model.tree import Cloud, Grid, Value, VmType, path_of
from webapp.pages.cells import Cell, show
from webapp.pages.tables import below, natural, occurring, words

_NO_TYPE = ""  # of the one row of a cloud that has no VM type yet
_THRESHOLDS = {"error": "vms_error", "lost": "vms_lost", "unreg": "vms_unreg"}
_LABELS = {"total": "VMs", "unreg": "Unreg."}
_TITLES = {
    "total": "VMs that the cloud scheduler knows",
    "idle": "running VMs without a busy slot",
    "lost": "in HTCondor, but unknown to the cloud scheduler",
    "unreg": "running to the cloud scheduler, but not in HTCondor",
    "held": "held jobs that last ran here",
}


@dataclass(frozen=True, slots=True)
class CloudColumn:
    """`figure` says which figure of a row it is: a VM state, a comparison, a slot, or a cloud's held jobs."""

    name: str
    figure: str  # state | compare | slot | held
    label: str
    metric: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class TypeRow:
    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class CloudRows:
    """A cloud and a row for each VM type. `folds`: no VMs and nothing wrong, left out at first."""

    name: str
    link: str
    finding: Finding
    is_off: bool
    quota: Cell
    rows: tuple[TypeRow, ...]
    folds: bool


@dataclass(frozen=True, slots=True)
class CloudTable:
    at: str  # the path above `clouds`
    columns: tuple[CloudColumn, ...]
    clouds: tuple[CloudRows, ...]
    total: tuple[Cell, ...]
    quota: Cell

    @property
    def slot_count(self) -> int:
        return sum(column.figure == "slot" for column in self.columns)

    @property
    def folded(self) -> int:
        return sum(cloud.folds for cloud in self.clouds)

    @property
    def row_count(self) -> int:
        """Rows that are shown at first."""
        return sum(len(cloud.rows) for cloud in self.clouds if not cloud.folds)


def cloud_table(grid: Grid, health: Health, names: Sequence[str], link: str) -> CloudTable:
    """`names` are the columns by the settings; `link` leads to a cloud with its name put behind it."""
    columns = tuple(_columns(names, [*(row for cloud in grid.clouds for row in cloud.vmtypes), grid.total]))
    view = health.view
    return CloudTable(
        at=f"grids.{grid.name}",
        columns=columns,
        clouds=tuple(_cloud(cloud, health, columns, link) for cloud in grid.clouds),
        total=tuple(_show(_total(grid, column), column, health, path=True) for column in columns),
        quota=show(
            add_up(path_of("cloud_quota", grid=grid.name, cloud="*"), (cloud.quota for cloud in grid.clouds)),
            view,
            path=True,
        ),
    )


def _columns(names: Sequence[str], rows: Sequence[VmType]) -> Iterator[CloudColumn]:
    for name in names or DEFAULT_COLUMNS:
        if name == "others":
            for state in occurring((row.states for row in rows), (*STATES, *names)):
                yield CloudColumn(state, "state", words(state), below("cloud_vms", vmtype="$", status=state))
        elif name == "slots":
            for slot in sorted({slot for row in rows for slot in row.slots}, key=natural):
                label = slot.removeprefix("slot1_").removeprefix("slot")
                yield CloudColumn(
                    slot, "slot", label, below("cloud_slots", vmtype="$", slot=slot), f"VMs that use {slot}"
                )
        elif name in ("idle", "lost", "unreg"):
            yield CloudColumn(
                name,
                "compare",
                _LABELS.get(name, words(name)),
                below(f"cloud_{name}", vmtype="$"),
                _TITLES[name],
            )
        elif name == "held":
            yield CloudColumn(
                name, "held", "Held", below("cloud_jobs", jobtype="all", status="held"), _TITLES[name]
            )
        else:
            yield CloudColumn(
                name,
                "state",
                _LABELS.get(name, words(name)),
                below("cloud_vms", vmtype="$", status=name),
                _TITLES.get(name, ""),
            )


def _cloud(cloud: Cloud, health: Health, columns: Sequence[CloudColumn], link: str) -> CloudRows:
    view, finding = health.view, health.cloud(cloud)
    rows = cloud.vmtypes or (VmType(_NO_TYPE, {}, *(Value("", None, None),) * 3, {}),)
    held = cloud.jobs.get("all", {}).get("held")
    return CloudRows(
        name=cloud.name,
        link=link + cloud.name,
        finding=finding,
        is_off=view.is_fresh(cloud.enabled) and cloud.enabled.value == 0,
        quota=show(cloud.quota, view),
        rows=tuple(
            TypeRow(row.name, _cells(row, columns, held if number == 0 else None, health))
            for number, row in enumerate(rows)
        ),
        folds=not finding.level and not (held and held.value) and not _has_vms(cloud.total),
    )


def _has_vms(row: VmType) -> bool:
    return any(
        value.value for value in (*row.states.values(), row.idle, row.lost, row.unreg, *row.slots.values())
    )


def _cells(
    row: VmType, columns: Sequence[CloudColumn], held: Value | None, health: Health
) -> tuple[Cell, ...]:
    return tuple(_cell(row, column, held, health) for column in columns)


def _cell(row: VmType, column: CloudColumn, held: Value | None, health: Health) -> Cell:
    """A row has no cell for slots that its VM type has not; a cloud's first row alone has its held jobs."""
    value = held if column.figure == "held" else _figure(row, column)
    if value is None and column.figure in ("held", "slot"):
        return Cell("")
    return _show(value, column, health)


def _show(value: Value | None, column: CloudColumn, health: Health, *, path: bool = False) -> Cell:
    tone = health.tone(_THRESHOLDS[column.name], value) if column.name in _THRESHOLDS else ""
    return show(value, health.view, tone=tone, path=path)


def _figure(row: VmType, column: CloudColumn) -> Value | None:
    if column.figure == "compare":
        figure: Value = getattr(row, column.name)
        return figure
    return (row.slots if column.figure == "slot" else row.states).get(column.name)


def _total(grid: Grid, column: CloudColumn) -> Value | None:
    if column.figure != "held":
        return _figure(grid.total, column)
    held = (cloud.jobs.get("all", {}).get("held") for cloud in grid.clouds)
    return add_up(
        path_of("cloud_jobs", grid=grid.name, cloud="*", jobtype="all", status="held"),
        (value for value in held if value is not None),
    )
