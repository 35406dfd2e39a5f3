"""The machines one by one: their cells, and a plot of each figure over all of them (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cloud_monitor.metrics.catalog import BY_KEY
from cloud_monitor.metrics.paths import build_path, clean
from cloud_monitor.system.text import age_text, format_number, one_line
from webapp.pages.cells import BAD, NOTHING, WARN, Cell
from worker.queue.statistics.machines import MachineFigures, MachineState

PLOTTED_MAX = 20  # traces of one plot
_STATE_TONES = {MachineState.GONE: "z", MachineState.DRAINING: WARN, MachineState.DELETING: WARN}
# Of a host, by name of the figure: heading, and whether all machines together have a plot of it
HOST_FIGURES = {
    "workers": ("Workers", False),
    "cpu_pct": ("CPU, %", True),
    "memory_pct": ("Memory, %", True),
    "storage_pct": ("Storage, %", False),
    "net_in": ("Received, B/s", True),
    "net_out": ("Sent, B/s", True),
    "gpu_pct": ("GPU, %", True),
    "gpu_memory_pct": ("GPU memory, %", False),
    "pages_free": ("Pages free", False),
    "fragmentation_pct": ("Fragmented, %", False),
}


@dataclass(frozen=True, slots=True)
class MachineLine:
    name: str
    cells: tuple[Cell, ...]
    is_there: bool


def figures_known(machines: Iterable[MachineFigures]) -> tuple[str, ...]:
    """Workers, CPU and memory of any host, what else at least one of these hosts reports."""
    told: set[str] = {"workers", "cpu_pct", "memory_pct"}
    for machine in machines:
        told |= set(machine.host.figures) if machine.host else set()
    return tuple(name for name in HOST_FIGURES if name in told)


def machine_line(machine: MachineFigures, figures: Sequence[str], grid: str | None) -> MachineLine:
    row, host = machine.row, machine.host
    known: Mapping[str, object] = {}
    if host is not None and host.alive and row.state is not MachineState.GONE:
        known = {
            **host.figures,
            "workers": host.workers,
            "cpu_pct": host.cpu_pct,
            "memory_pct": host.memory_pct,
        }
    why = row.fault or row.reason
    what = size_text(row.cores, row.memory_gb, row.storage_gb, row.bandwidth_mbps, row.gpus)
    cells = (
        Cell(row.state.value, "t " + (BAD if row.fault else _STATE_TONES.get(row.state, ""))),
        Cell(one_line(why), f"t {WARN}" if row.fault else "t", why if len(why) > 60 else ""),
        words_cell(row.group_name),
        words_cell(row.size + (" (kept)" if row.kept else "") + (" (spot)" if row.spot else "")),
        words_cell(f"{row.cloud_size}: {what}" if what else row.cloud_size),
        Cell(coarse_age(machine.age_s), "", "", _path_of_machine("age_s", row.name, row.group_name, grid)),
        _figure(row.images_done, _path_of_machine("images_done", row.name, row.group_name, grid)),
        _figure(round(machine.cost, 2), _path_of_machine("cost", row.name, row.group_name, grid)),
        *(_figure(known.get(name), _path_of_host(name, row.name, grid)) for name in figures),
    )
    return MachineLine(row.name, cells, row.state is not MachineState.GONE)


def size_text(cores: float, memory_gb: float, storage_gb: float, bandwidth_mbps: float, gpus: float) -> str:
    """`16 cores, 64 GB, 200 GB storage`; without what is not known."""
    parts = (
        (cores, "core" if cores == 1 else "cores"),
        (memory_gb, "GB"),
        (storage_gb, "GB storage"),
        (bandwidth_mbps, "Mbps"),
        (gpus, "GPU" if gpus == 1 else "GPUs"),
    )
    return ", ".join(f"{format_number(value)} {unit}" for value, unit in parts if value)


def _figure(value: object, path: str) -> Cell:
    if not isinstance(value, int | float):
        return Cell(NOTHING, "m", "", path)
    shown = round(value) if abs(value) >= 10 else round(value, 2)
    return Cell(format_number(shown), "" if shown else "z", "", path)


def _path_of_host(figure: str, machine: str, grid: str | None) -> str:
    key = f"fleet_host_{figure}"
    return build_path(key, grid=grid, host=clean(machine)) if grid and key in BY_KEY else ""


def _path_of_machine(figure: str, machine: str, group: str, grid: str | None) -> str:
    if grid is None:
        return ""
    names = {"grid": grid, "group": clean(group or "none"), "machine": clean(machine)}
    return build_path(f"fleet_machine_{figure}", **names)


def plots_over_all(
    machines: Iterable[MachineFigures], figures: Sequence[str], grid: str | None
) -> Iterator[tuple[str, str]]:
    """A plot of each figure over all machines, the first PLOTTED_MAX of them."""
    names = [one.row.name for one in machines if one.row.joined_at is not None][:PLOTTED_MAX]
    for figure in figures:
        label, is_plotted = HOST_FIGURES[figure]
        paths = [path for name in names if (path := _path_of_host(figure, name, grid))]
        if is_plotted and paths:
            yield label, " ".join(paths)


def coarse_age(age_s: float) -> str:
    """Coarse, so that a page on which nothing happens stays the same."""
    return "under 1 min" if age_s < 60 else age_text(age_s)


def words_cell(text: str) -> Cell:
    return Cell(one_line(text), "t")
