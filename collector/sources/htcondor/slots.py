"""Slots of one or several pools: by type and state, with their cores, memory and GPUs; and their machines.

A partitionable slot's own cores are what its dynamic slots left over, so sums over all slots count each core
once. A remainder that no job fits into is unusable rather than idle: no core left, or less memory or disk
than configured. A pool that fails fails the source: sums over the others would look like machines that
vanished.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cloud_monitor.htcondor.bindings import Ad, number_of, query_slots, text_of
from cloud_monitor.metrics.paths import build_path, clean
from collector.model import Collected
from collector.settings import CondorSettings
from collector.sources.htcondor.daemons import count_slots, daemons_values, query_daemon_figures
from collector.sources.htcondor.machines import MachineTally, machines_of, query_machine_facts
from collector.sources.htcondor.placements import slices

_ATTRIBUTES = ("Name", "SlotType", "State", "Activity", "Cpus", "Memory", "Disk", "GPUs")
_ADS_MAX = 10_000  # fetched at once, which bounds memory: 2.5 KB each
_KB_IN_MB = 1024

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


class RemainderLimits(NamedTuple):
    """Under these a partitionable slot's remainder is unusable."""

    memory_mb: int
    disk_mb: int


def collect(settings: CondorSettings, timestamp: int) -> Collected:
    pools = settings.condor_collectors or ("",)
    daemons = query_daemon_figures(pools, settings.condor_schedds, owner=settings.owner)
    values = list(daemons_values(settings.grid, daemons))
    if not settings.owner:
        return Collected(tuple(values))
    machines = MachineTally()
    tally = SlotTally(RemainderLimits(settings.condor_unusable_memory_mb, settings.condor_unusable_disk_mb))
    for slot in query_all_slots(pools, expected=count_slots(daemons)):
        tally.add(slot)
        machines.add(slot.name, slot.slot_type, slot.state, slot.activity)
    values += slots_values(settings.grid, tally)
    return Collected(tuple(values), machines=machines_of(machines, query_machine_facts(settings), settings))


def query_all_slots(pools: Sequence[str], expected: int) -> Iterator[Slot]:
    """Every slot once, also one that reports to two of the pools; there were `expected` some minutes ago."""
    seen: set[str] = set()
    for pool in pools:
        for constraint in slices(max(expected, 2 * _ADS_MAX), _ADS_MAX, "Name"):
            for ad in query_slots(pool, constraint, _ATTRIBUTES):
                slot = read_slot(ad)
                if len(pools) > 1:
                    if slot.name in seen:
                        continue
                    seen.add(slot.name)
                yield slot


def read_slot(ad: Ad) -> Slot:
    return Slot(
        name=text_of(ad.get("Name")),
        slot_type=text_of(ad.get("SlotType")).lower() or "static",
        state=text_of(ad.get("State")).lower(),
        activity=text_of(ad.get("Activity")).lower(),
        cores=number_of(ad.get("Cpus")),
        memory_mb=number_of(ad.get("Memory")),
        gpus=number_of(ad.get("GPUs")),
        disk_mb=number_of(ad.get("Disk")) / _KB_IN_MB,
    )


class SlotTally:
    """Counts by (type, state) and sums by (resource, share) of the slots seen."""

    def __init__(self, limits: RemainderLimits) -> None:
        self.limits = limits
        self.counts: Counter[tuple[str, str]] = Counter()
        self.sums: defaultdict[tuple[str, str], float] = defaultdict(float)

    def add(self, slot: Slot) -> None:
        self.counts[slot.slot_type, slot.state] += 1
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
