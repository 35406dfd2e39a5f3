"""VMs one by one: the columns of their list, and one VM with its past and its jobs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from webapp.inventory.model import Item, Summary, Vm
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.cells import Cell
from webapp.pages.details import DetailPage
from webapp.pages.list_cells import number, since, status_cell, text
from webapp.pages.list_page import Kind, ListColumn
from webapp.pages.record import Fact, facts_table, history_table, item_mark, jobs_table_of, seen_facts


def _vm(item: Item) -> Vm:
    assert isinstance(item.thing, Vm)
    return item.thing


def _status(item: Item, view: SnapshotView) -> Cell:
    vm = _vm(item)
    unregistered = ["unregistered"] if "unreg" in vm.states else []
    return status_cell(item, view, *(["idle"] if vm.idle else []), *unregistered)


def _slots(item: Item, view: SnapshotView) -> Cell:
    busy, slots = _vm(item).busy_slots, _vm(item).slots
    if busy is None or not slots:
        return number(slots if busy is None else busy)
    return Cell(f"{busy} of {slots}", "" if busy else "z")


def _registered(item: Item, view: SnapshotView) -> Cell:
    registered = _vm(item).registered
    tone = "w" if "unreg" in _vm(item).states else ""
    return Cell("") if registered is None else text("yes" if registered else "no", tone)


VMS = Kind(
    "vms",
    "VMs",
    "VMs",
    "VM",
    (
        ListColumn("status", "Status", _status),
        ListColumn("since", "For", lambda item, view: since(item.since, view), "in this status"),
        ListColumn("cloud", "Cloud", lambda item, view: text(item.thing.cloud)),
        ListColumn("vmtype", "Type", lambda item, view: text(_vm(item).vmtype)),
        ListColumn("busy_slots", "Busy slots", _slots, largest_first=True),
        ListColumn("registered", "In HTCondor", _registered),
        ListColumn("started_at", "Started", lambda item, view: since(_vm(item).started_at, view), "ago"),
        ListColumn("name", "Name in the cloud", lambda item, view: text(_vm(item).name)),
    ),
)


def vm_page(
    item: Item, jobs: Iterable[Item], summary: Summary, view: SnapshotView, label: str, address: str
) -> DetailPage:
    """`address` is the grid's."""
    vm = _vm(item)
    facts: list[Fact] = [
        ("Status", _status(item, view)),
        ("For", since(item.since, view)),
        ("Cloud", text(vm.cloud)),
        ("VM type", text(vm.vmtype)),
        ("Busy slots", _slots(item, view)),
        ("In HTCondor", _registered(item, view)),
        ("Machine in HTCondor", text(vm.machine)),
        ("Name in the cloud", text(vm.name)),
        ("Started", since(vm.started_at, view)),
        *seen_facts(item, summary, view),
    ]
    clouds = [(vm.cloud, f"{address}/clouds/{quote(vm.cloud)}")] if vm.cloud else []
    tables = (
        facts_table(facts),
        history_table(item, view),
        jobs_table_of(jobs, vm.host, view, f"{address}/jobs/"),
    )
    return DetailPage(
        title=item.key,
        trail=((label, address), *clouds, ("VMs", f"{address}/vms")),
        mark=item_mark(item, summary, view),
        marks=(),
        sparks=(),
        heartbeats=(),
        tables=tuple(table for table in tables if not table.is_empty),
    )
