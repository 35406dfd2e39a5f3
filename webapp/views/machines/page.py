"""What /machines shows, made of the queue's figures: cells, and the paths that they are plotted by (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cloud_monitor.metrics.paths import build_path, clean
from cloud_monitor.system.text import age_text, format_number, one_line
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.cells import BAD, NOTHING, WARN, Cell, day_and_time
from webapp.views.machines.lines import (
    HOST_FIGURES,
    MachineLine,
    coarse_age,
    figures_known,
    machine_line,
    plots_over_all,
    size_text,
    words_cell,
)
from webapp.views.wishing import MayAsk
from worker.queue.statistics.machines import FleetMachines, GroupFigures, Offer

_CAP_NEAR = 0.8


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure of a group; `live` is its cell, whose path is plotted."""

    label: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class GroupCard:
    name: str
    state: Cell
    decision: Cell
    fault: Cell | None
    facts: tuple[Fact, ...]
    spent: float | None  # 0..1 of the cap; None: there is none
    plot: str  # paths of wanted, up and booting, by blanks; "" where nobody sends them
    offers: tuple[tuple[Cell, ...], ...]
    is_paused: bool
    is_stopped: bool
    least: str
    most: str


@dataclass(frozen=True, slots=True)
class MachinesPage:
    manager: Cell
    groups: tuple[GroupCard, ...]
    headings: tuple[str, ...]
    machines: tuple[MachineLine, ...]
    plots: tuple[tuple[str, str], ...]  # one figure over all machines: label, paths by blanks
    wishes: tuple[tuple[Cell, ...], ...]
    events: tuple[tuple[Cell, ...], ...]
    presets: tuple[str, ...]
    places: tuple[str, ...]
    may: MayAsk


def machines_page(found: FleetMachines, view: SnapshotView, may: MayAsk) -> MachinesPage:
    grid = _grid_of_fleet(view, found)
    figures = figures_known(found.machines)
    offers = [offer for group in found.groups for offer in group.row.places]
    return MachinesPage(
        manager=_manager(found),
        groups=tuple(_card(group, grid, found.at) for group in found.groups),
        headings=(
            "State", "Why", "Group", "Place", "Size", "Age", "Images", "Cost",
            *(HOST_FIGURES[name][0] for name in figures),
        ),
        machines=tuple(machine_line(machine, figures, grid) for machine in found.machines),
        plots=tuple(plots_over_all(found.machines, figures, grid)),
        wishes=tuple(_wishes(found)),
        events=tuple(
            tuple(map(words_cell, (day_and_time(event.at), event.kind.replace("_", " "), event.message)))
            for event in found.events
        ),
        presets=tuple(sorted({offer.preset for offer in offers if offer.preset})),
        places=tuple(group.row.name for group in found.groups),
        may=may,
    )  # fmt: skip


def _grid_of_fleet(view: SnapshotView, found: FleetMachines) -> str | None:
    """Whose collector sends this fleet's figures: the grid with most of its groups and machines, else the
    first with a fleet; None where nobody sends any.
    """
    groups = {clean(group.row.name) for group in found.groups}
    machines = {clean(machine.row.name) for machine in found.machines}
    known: dict[str, int] = {}
    for grid in view.snapshot.grids:
        sent, hosts = grid.figures.table("fleet_machines_states"), grid.fleet.hosts
        if sent or hosts:
            known[grid.name] = len(groups & sent.keys()) + len(machines & hosts.keys())
    return max(known, key=lambda name: known[name], default=None)


def _manager(found: FleetMachines) -> Cell:
    if found.manager_silent_s is None:
        return Cell("No machine manager has been here: nothing is made, drained or deleted.", WARN)
    if not found.is_managed:
        return Cell(f"The machine manager is silent for {age_text(found.manager_silent_s)}.", BAD)
    return Cell("The machine manager is at work.")


def _card(group: GroupFigures, grid: str | None, at: float) -> GroupCard:
    row = group.row
    most, spent = group.figure("cost_most"), group.figure("cost_month")
    return GroupCard(
        name=row.name,
        state=_group_state(group),
        decision=Cell(
            row.stopped or row.text or "No decision has been taken yet.", BAD if row.stopped else ""
        ),
        fault=Cell(f"Last fault: {row.fault}", WARN) if row.fault else None,
        facts=tuple(_facts(group, grid, at)),
        spent=None if not most or spent is None else min(1.0, spent / most),
        plot=_plot_of_group(row.name, grid),
        offers=tuple(_offer(offer) for offer in row.places),
        is_paused=row.paused,
        is_stopped=bool(row.stopped),
        least=_plain(group.figure("least")),
        most=_plain(group.figure("most")),
    )


def _group_state(group: GroupFigures) -> Cell:
    if group.row.stopped:
        return Cell("stopped", BAD)
    return Cell("paused", WARN) if group.row.paused else Cell("scaled")


def _facts(group: GroupFigures, grid: str | None, at: float) -> Iterator[Fact]:
    names = {"group": clean(group.row.name)}

    def fact(label: str, value: float | None, key: str = "", tone: str = "", **more: str) -> Fact:
        path = build_path(key, grid=grid, **names, **more) if grid and key else ""
        if value is None:
            return Fact(label, Cell(NOTHING, "m"))
        return Fact(label, Cell(format_number(round(value, 2)), tone if value else "z", "", path))

    yield fact("Wanted", group.row.wanted, "fleet_machines_wanted")
    for label, state in (("Up", "running"), ("Booting", "booting"), ("Draining", "draining")):
        yield fact(label, group.states[state], "fleet_machines_states", state=state)
    yield fact("Failed", group.failed, "fleet_machines_failed", BAD)
    if costing := group.figure("costing"):
        yield fact("Cost though stopped", costing, "fleet_machines_costing", BAD)
    yield fact("An hour", group.figure("cost_per_hour"), "fleet_machines_cost_per_hour")
    spent, most = group.figure("cost_month"), group.figure("cost_most")
    is_near = spent is not None and most is not None and spent > _CAP_NEAR * most
    yield fact("This month", spent, "fleet_machines_cost_month", WARN if is_near else "")
    if most is not None:
        yield fact("Cap", most, "fleet_machines_cost_most")
    is_over = most is not None and (group.figure("cost_projected") or 0) > most
    yield fact(
        "At its end", group.figure("cost_projected"), "fleet_machines_cost_projected", WARN if is_over else ""
    )
    yield fact("1000 images", group.cost_per_1000_images, "fleet_machines_cost_per_1000_images")
    yield fact("Images/s each", group.images_per_s, "fleet_machines_images_per_s")
    boot = Cell(NOTHING, "m") if group.boot_s is None else Cell(age_text(group.boot_s))
    yield Fact("Boot", boot)
    decided = group.row.decided_at
    if decided is not None:
        yield Fact("Decided", Cell(f"{coarse_age(at - decided)} ago"))


def _plot_of_group(name: str, grid: str | None) -> str:
    if grid is None:
        return ""
    names = {"grid": grid, "group": clean(name)}
    states = (build_path("fleet_machines_states", **names, state=state) for state in ("running", "booting"))
    return " ".join((build_path("fleet_machines_wanted", **names), *states))


def _offer(offer: Offer) -> tuple[Cell, ...]:
    room = Cell("no limit known", "t z") if offer.room is None else Cell(format_number(offer.room), "t")
    price = (
        Cell(format_number(offer.price_per_hour), "t") if offer.price_per_hour else Cell("not known", "t z")
    )
    what = size_text(offer.cores, offer.memory_gb, offer.storage_gb, offer.bandwidth_mbps, offer.gpus)
    size = f"{offer.cloud_size}: {what}" if offer.cores else offer.cloud_size or "not known"
    fault = Cell(one_line(offer.fault), f"t {WARN}") if offer.fault else Cell("", "t")
    learned = (
        _learned(format_number(round(offer.images_per_s, 2)) if offer.images_per_s else ""),
        _learned(age_text(offer.boot_s) if offer.boot_s else ""),
        _learned(format_number(round(cost, 2)) if (cost := offer.cost_per_1000_images) else ""),
    )
    return (words_cell(offer.place), words_cell(size), price, *learned, room, fault)


def _learned(text: str) -> Cell:
    return Cell(text, "t") if text else Cell(NOTHING, "t z")


def _wishes(found: FleetMachines) -> Iterator[tuple[Cell, ...]]:
    for wish in found.wishes:
        details = ", ".join(f"{name} {value}" for name, value in wish.details.items())
        about = " ".join(part for part in (wish.kind, wish.machine or wish.group, details) if part)
        outcome = wish.outcome or "waits for the manager's next round"
        tone = WARN if wish.outcome.startswith("refused") else ""
        yield (
            words_cell(day_and_time(wish.asked_at)),
            words_cell(wish.asked_by),
            words_cell(about),
            Cell(one_line(outcome), f"t {tone}".strip()),
        )


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
