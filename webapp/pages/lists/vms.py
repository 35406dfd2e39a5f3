"""VMs one by one: the columns of their list, and one VM with its past and its jobs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from cloud_monitor.inventory import UNREGISTERED
from webapp.inventory.model import ListSummary, TrackedRecord, VmRecord
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.cells import WARN, Cell
from webapp.pages.details import DetailPage
from webapp.pages.lists.cells import number, since, status_cell, text
from webapp.pages.lists.page import ListColumn, ListSpec
from webapp.pages.lists.record import (
    Fact,
    facts_table,
    history_table,
    jobs_table_of,
    record_finding,
    seen_facts,
)


def _vm(tracked: TrackedRecord) -> VmRecord:
    assert isinstance(tracked.record, VmRecord)
    return tracked.record


def _status(tracked: TrackedRecord, view: SnapshotView) -> Cell:
    vm = _vm(tracked)
    unregistered = ["unregistered"] if UNREGISTERED in vm.states else []
    return status_cell(tracked, view, *(["idle"] if vm.idle else []), *unregistered)


def _slots(tracked: TrackedRecord, view: SnapshotView) -> Cell:
    busy, slots = _vm(tracked).busy_slots, _vm(tracked).slots
    if busy is None or not slots:
        return number(slots if busy is None else busy)
    return Cell(f"{busy} of {slots}", "" if busy else "z")


def _registered(tracked: TrackedRecord, view: SnapshotView) -> Cell:
    registered = _vm(tracked).registered
    tone = WARN if UNREGISTERED in _vm(tracked).states else ""
    return Cell("") if registered is None else text("yes" if registered else "no", tone)


VMS = ListSpec(
    "vms",
    "VMs",
    "VMs",
    "VM",
    (
        ListColumn("status", "Status", _status),
        ListColumn("since", "For", lambda tracked, view: since(tracked.since, view), "in this status"),
        ListColumn("cloud", "Cloud", lambda tracked, view: text(tracked.record.cloud)),
        ListColumn("vmtype", "Type", lambda tracked, view: text(_vm(tracked).vmtype)),
        ListColumn("busy_slots", "Busy slots", _slots, largest_first=True),
        ListColumn("registered", "In HTCondor", _registered),
        ListColumn(
            "started_at", "Started", lambda tracked, view: since(_vm(tracked).started_at, view), "ago"
        ),
        ListColumn("name", "Name in the cloud", lambda tracked, view: text(_vm(tracked).name)),
    ),
)


def vm_page(
    tracked: TrackedRecord,
    jobs: Iterable[TrackedRecord],
    summary: ListSummary,
    view: SnapshotView,
    label: str,
    address: str,
) -> DetailPage:
    """`address` is the grid's."""
    vm = _vm(tracked)
    facts: list[Fact] = [
        ("Status", _status(tracked, view)),
        ("For", since(tracked.since, view)),
        ("Cloud", text(vm.cloud)),
        ("VM type", text(vm.vmtype)),
        ("Busy slots", _slots(tracked, view)),
        ("In HTCondor", _registered(tracked, view)),
        ("Machine in HTCondor", text(vm.machine)),
        ("Name in the cloud", text(vm.name)),
        ("Started", since(vm.started_at, view)),
        *seen_facts(tracked, summary, view),
    ]
    clouds = [(vm.cloud, f"{address}/clouds/{quote(vm.cloud)}")] if vm.cloud else []
    tables = (
        facts_table(facts),
        history_table(tracked, view),
        jobs_table_of(jobs, vm.host, view, f"{address}/jobs/"),
    )
    return DetailPage(
        title=tracked.key,
        trail=((label, address), *clouds, ("VMs", f"{address}/vms")),
        finding=record_finding(tracked, summary, view),
        findings=(),
        sparks=(),
        heartbeats=(),
        tables=tuple(table for table in tables if not table.is_empty),
    )
