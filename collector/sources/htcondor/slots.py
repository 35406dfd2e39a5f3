"""Slots of one or several pools: by type and state, with their cores, memory and GPUs; and their machines.

A partitionable slot's own cores are what its dynamic slots left over, so sums over all slots count each core
once. Backfill slots stand beside the primary ones over the same cores: they are counted as a type of their
own, and are no part of the sums. A remainder that no job fits into is unusable rather than idle: no core
left, or less memory or disk than configured. Of several pools one that fails costs its own machines: the sums
are those of the others, and how many pools answered is a figure beside them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from cloud_monitor.htcondor.ads import Ad, take_oddities
from cloud_monitor.htcondor.bindings import limit_query_time, number_of, query_slots, text_of
from cloud_monitor.metrics.paths import build_path, clean
from collector.model import Collected, Machine
from collector.settings import CondorSettings
from collector.sources.htcondor.daemons import count_slots, daemons_values, query_daemon_figures
from collector.sources.htcondor.jobs import QUERY_SHARE, answered_values, told_errors
from collector.sources.htcondor.machines import PRESENT, MachineTally, machines_of, query_machine_facts
from collector.sources.htcondor.peers import Pools
from collector.sources.htcondor.placements import slices

_ATTRIBUTES = ("Name", "SlotType", "State", "Activity", "Cpus", "Memory", "Disk", "GPUs", "BackfillSlot")
_IDENTITY = ("MyAddress",)  # with the name: machines of two pools may be called alike
_ADS_MAX = 10_000  # fetched at once, which bounds memory: 2.5 KB each
_KB_IN_MB = 1024
_AMOUNT_MAX = 1e12  # KiB of disk are the largest numbers

TYPES = ("static", "partitionable", "dynamic")
STATES = ("owner", "unclaimed", "matched", "claimed", "preempting", "backfill", "drained")
RESOURCES = ("cores", "memory_mb", "gpus")
SHARES = ("claimed", "idle", "unusable", "unavailable")
ALL, TOTAL = "all", "total"


class Slot(NamedTuple):
    name: str  # slot1_3@machine
    slot_type: str  # lower case, as the state
    state: str
    activity: str
    cores: float
    memory_mb: float
    gpus: float
    disk_mb: float
    is_backfill: bool = False


class RemainderLimits(NamedTuple):
    """Under these a partitionable slot's remainder is unusable."""

    memory_mb: int
    disk_mb: int


def collect(settings: CondorSettings, timestamp: int) -> Collected:
    pools = Pools(tuple(dict.fromkeys(settings.condor_collectors)) or ("",))
    limit_query_time(pools.names, QUERY_SHARE * settings.source_timeout_s)
    daemons = query_daemon_figures(pools, settings.condor_schedds, owner=settings.owner)
    values = list(daemons_values(settings.grid, daemons))
    machines: tuple[Machine, ...] = ()
    if settings.owner:
        tally = SlotTally(
            RemainderLimits(settings.condor_unusable_memory_mb, settings.condor_unusable_disk_mb)
        )
        found = MachineTally()
        for slot in query_all_slots(pools, expected=count_slots(daemons)):
            tally.add(slot)
            found.add(slot.name, slot.slot_type, slot.state, slot.activity)
        machines = machines_of(found, query_machine_facts(settings, pools), settings)
        values += slots_values(settings.grid, tally)
        values += answered_values(settings.grid, "pools", len(pools.names), len(pools.answering()))
    return Collected(
        tuple(values),
        machines,
        complaints=told_errors("pools", pools.names, tuple(pools.errors.values())),
        notes=tuple(take_oddities()),
    )


def query_all_slots(pools: Pools, expected: int) -> Iterator[Slot]:
    """Every slot once, also one that reports to two of the pools; there were `expected` some minutes ago."""
    seen: set[tuple[str, str]] = set()
    several = len(pools.names) > 1
    attributes = (*_ATTRIBUTES, *_IDENTITY) if several else _ATTRIBUTES
    for pool in pools.answering():
        for constraint in slices(max(expected, 2 * _ADS_MAX), _ADS_MAX, "Name"):
            for ad in pools.ask(pool, partial(query_slots, pool, f"{constraint} && {PRESENT}", attributes)):
                slot = read_slot(ad)
                if several:
                    identity = slot.name, text_of(ad.get("MyAddress"))
                    if identity in seen:
                        continue
                    seen.add(identity)
                yield slot


def read_slot(ad: Ad) -> Slot:
    return Slot(
        name=text_of(ad.get("Name")),
        slot_type=text_of(ad.get("SlotType")).lower() or "static",
        state=text_of(ad.get("State")).lower(),
        activity=text_of(ad.get("Activity")).lower(),
        cores=_amount(ad, "Cpus"),
        memory_mb=_amount(ad, "Memory"),
        gpus=_amount(ad, "GPUs"),
        disk_mb=_amount(ad, "Disk") / _KB_IN_MB,
        is_backfill=ad.get("BackfillSlot") is True,
    )


def _amount(ad: Ad, name: str) -> float:
    """What no machine has is left out: one ad's nonsense would be the whole grid's."""
    amount = number_of(ad.get(name))
    if 0 <= amount <= _AMOUNT_MAX:
        return amount
    ad.note(name, "is no amount, so it is left out")
    return 0.0


class SlotTally:
    """Counts by (type, state) and sums by (resource, share) of the slots seen."""

    def __init__(self, limits: RemainderLimits) -> None:
        self.limits = limits
        self.counts: Counter[tuple[str, str]] = Counter()
        self.sums: defaultdict[tuple[str, str], float] = defaultdict(float)

    def add(self, slot: Slot) -> None:
        self.counts["backfill" if slot.is_backfill else slot.slot_type, slot.state] += 1
        if slot.is_backfill:
            return
        share = share_of(slot, self.limits)
        self.sums["cores", share] += slot.cores
        self.sums["memory_mb", share] += slot.memory_mb
        self.sums["gpus", share] += slot.gpus


def share_of(slot: Slot, limits: RemainderLimits) -> str:
    """What the cores, memory and GPUs of a slot are: claimed, idle, unusable, or unavailable to jobs."""
    if slot.state in ("owner", "drained"):
        return "unavailable"
    if slot.slot_type != "partitionable":
        return "claimed" if slot.state in ("claimed", "preempting") else "idle"
    if slot.cores < 1 or slot.memory_mb < limits.memory_mb or slot.disk_mb < limits.disk_mb:
        return "unusable"
    return "idle"


def slots_values(grid: str, tally: SlotTally) -> Iterator[tuple[str, float]]:
    """Every known type and state, also where it is 0, and whatever else a startd says."""
    counts = Counter({(slot_type, state): 0 for slot_type in TYPES for state in STATES})
    for (slot_type, state), slots in tally.counts.items():
        counts[_name(slot_type, TYPES), _name(state, STATES)] += slots
    for (slot_type, state), slots in list(counts.items()):
        counts[ALL, state] += slots
        counts[slot_type, TOTAL] += slots
        counts[ALL, TOTAL] += slots
    for (slot_type, state), slots in sorted(counts.items()):
        yield build_path("slots", grid=grid, slottype=slot_type, state=state), slots
    for resource in RESOURCES:
        amounts = [tally.sums[resource, share] for share in SHARES]
        for share, amount in zip((TOTAL, *SHARES), (sum(amounts), *amounts), strict=True):
            yield build_path(resource, grid=grid, share=share), amount


def _name(text: str, known: Sequence[str]) -> str:
    return text if text in known else clean(text)
