"""The machines of a pool: their slots, and the cloud and VM type that an attribute or the name tells.

Where a cloud scheduler is asked, it tells the cloud; then only the slots of each machine matter here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from cloud_monitor.htcondor.ads import Ad
from cloud_monitor.htcondor.bindings import number_of, query_slots, references, text_of
from cloud_monitor.metrics.paths import clean
from collector.model import Machine
from collector.settings import CondorSettings
from collector.sources.htcondor.peers import Pools
from collector.sources.htcondor.placements import host_of

# A machine's facts are the same in every ad of its slots: ask the first of those that are always there.
PRESENT = "Absent =!= true"  # a machine that is gone leaves an ad that says so, for some weeks
_ONE_PER_MACHINE = f'SlotID == 1 && SlotType =!= "Dynamic" && {PRESENT}'
_ROUNDS_MAX = 4  # of attributes that refer to attributes
_DEFAULT_VMTYPE = "vm"


class MachineFacts(NamedTuple):
    cloud: str  # as the startd says it
    vmtype: str
    mips: float  # of one slot
    kflops: float


_NO_FACTS = MachineFacts("", "", 0.0, 0.0)


class MachineTally:
    """Slots made for a job (dynamic ones, and static ones that are claimed) by machine."""

    def __init__(self) -> None:
        self.hosts: set[str] = set()
        self.made: defaultdict[str, list[str]] = defaultdict(list)
        self.busy: defaultdict[str, int] = defaultdict(int)

    def add(self, name: str, slot_type: str, state: str, activity: str) -> None:
        host = host_of(name)
        self.hosts.add(host)
        if slot_type == "dynamic" or (slot_type == "static" and state == "claimed"):
            self.made[host].append(name.partition("@")[0])
            if state == "claimed" and activity != "idle":
                self.busy[host] += 1


def query_machine_facts(settings: CondorSettings, pools: Pools) -> dict[str, MachineFacts]:
    """Facts by host; none where nothing tells clouds, for then nobody wants them."""
    if not settings.has_clouds:
        return {}
    cloud, vmtype = settings.condor_cloud_attribute, settings.condor_vmtype_attribute
    return {
        host_of(ad.get("Name")): MachineFacts(
            cloud=text_of(ad.get(cloud)) if cloud else "",
            vmtype=text_of(ad.get(vmtype)) if vmtype else "",
            mips=number_of(ad.get("Mips")),
            kflops=number_of(ad.get("KFlops")),
        )
        for pool in pools.answering()
        for ad in _query_named(pools, pool, tuple(filter(None, (cloud, vmtype))))
    }


def _query_named(pools: Pools, pool: str, named: Sequence[str]) -> list[Ad]:
    """One ad per machine; where an attribute is an expression, with what it refers to."""
    attributes = ["Name", "Mips", "KFlops", *named]
    ads = pools.ask(pool, partial(query_slots, pool, _ONE_PER_MACHINE, attributes))
    for _ in range(_ROUNDS_MAX):
        open_ends = [
            expression for ad in ads for name in attributes if (expression := ad.unresolved(name)) is not None
        ]
        known = {name.lower() for name in attributes}
        wanted = {name for expression in open_ends for name in references(expression)}
        missing = sorted(name for name in wanted if name.lower() not in known)
        if not missing:
            break
        attributes += missing
        ads = pools.ask(pool, partial(query_slots, pool, _ONE_PER_MACHINE, attributes))
    return ads


def machines_of(
    tally: MachineTally, facts: Mapping[str, MachineFacts], settings: CondorSettings
) -> tuple[Machine, ...]:
    if not settings.has_clouds:
        return ()
    pattern = re.compile(settings.condor_cloud_pattern) if settings.condor_cloud_pattern else None
    return tuple(_machine(host, tally, facts.get(host, _NO_FACTS), pattern) for host in sorted(tally.hosts))


def _machine(host: str, tally: MachineTally, facts: MachineFacts, pattern: re.Pattern[str] | None) -> Machine:
    cloud, vmtype = name_cloud(host, facts, pattern)
    slots = tally.made.get(host, [])
    return Machine(
        host=host,
        cloud=cloud,
        vmtype=vmtype,
        busy_slots=tally.busy.get(host, 0),
        slots=tuple(slots),
        mips=facts.mips * len(slots),
        kflops=facts.kflops * len(slots),
    )


def name_cloud(host: str, facts: MachineFacts, pattern: re.Pattern[str] | None) -> tuple[str, str]:
    """Clean names of a machine's cloud and VM type, by attribute or else by its name; ("", "") none."""
    found = pattern.search(host) if pattern else None
    named = found.groupdict() if found else {}
    cloud, vmtype = facts.cloud or named.get("cloud") or "", facts.vmtype or named.get("vmtype") or ""
    return (clean(cloud), clean(vmtype) if vmtype else _DEFAULT_VMTYPE) if cloud else ("", "")
