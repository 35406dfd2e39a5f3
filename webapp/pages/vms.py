"""VMs one by one: the columns of their list, and one VM with its past and its jobs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from webapp.inventory.model import Item, Summary, Vm
from webapp.pages.cells import Cell
from webapp.pages.details import DetailPage
from webapp.pages.list_cells import number, since, status_cell, text
from webapp.pages.list_page import Kind, ListColumn
from webapp.pages.record import Fact, facts_table, history_table, item_mark, jobs_table_of, seen_facts
from webapp.poll.current import Moment


def _vm(item: Item) -> Vm:
    assert isinstance(item.thing, Vm)
    return item.thing


def _status(item: Item, moment: Moment) -> Cell:
    vm = _vm(item)
    unregistered = ["unregistered"] if "unreg" in vm.states else []
    return status_cell(item, moment, *(["idle"] if vm.idle else []), *unregistered)


def _slots(item: Item, moment: Moment) -> Cell:
    busy, slots = _vm(item).busy_slots, _vm(item).slots
    if busy is None or not slots:
        return number(slots if busy is None else busy)
    return Cell(f"{busy} of {slots}", "" if busy else "z")


def _registered(item: Item, moment: Moment) -> Cell:
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
        ListColumn("since", "For", lambda item, moment: since(item.since, moment), "in this status"),
        ListColumn("cloud", "Cloud", lambda item, moment: text(item.thing.cloud)),
        ListColumn("vmtype", "Type", lambda item, moment: text(_vm(item).vmtype)),
        ListColumn("busy_slots", "Busy slots", _slots, largest_first=True),
        ListColumn("registered", "In HTCondor", _registered),
        ListColumn("started_at", "Started", lambda item, moment: since(_vm(item).started_at, moment), "ago"),
        ListColumn("name", "Name in the cloud", lambda item, moment: text(_vm(item).name)),
    ),
)


def vm_page(
    item: Item, jobs: Iterable[Item], summary: Summary, moment: Moment, label: str, address: str
) -> DetailPage:
    """`address` is the grid's."""
    vm = _vm(item)
    facts: list[Fact] = [
        ("Status", _status(item, moment)),
        ("For", since(item.since, moment)),
        ("Cloud", text(vm.cloud)),
        ("VM type", text(vm.vmtype)),
        ("Busy slots", _slots(item, moment)),
        ("In HTCondor", _registered(item, moment)),
        ("Machine in HTCondor", text(vm.machine)),
        ("Name in the cloud", text(vm.name)),
        ("Started", since(vm.started_at, moment)),
        *seen_facts(item, summary, moment),
    ]
    clouds = [(vm.cloud, f"{address}/clouds/{quote(vm.cloud)}")] if vm.cloud else []
    tables = (
        facts_table(facts),
        history_table(item, moment),
        jobs_table_of(jobs, vm.host, moment, f"{address}/jobs/"),
    )
    return DetailPage(
        title=item.key,
        trail=((label, address), *clouds, ("VMs", f"{address}/vms")),
        mark=item_mark(item, summary, moment),
        marks=(),
        sparks=(),
        heartbeats=(),
        tables=tuple(table for table in tables if not table.is_empty),
    )
