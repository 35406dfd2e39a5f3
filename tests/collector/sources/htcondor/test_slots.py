"""What a slot's cores, memory and GPUs are."""

from __future__ import annotations

import pytest

from collector.sources.htcondor.slots import RemainderLimits, Slot, SlotTally, share_of, slots_values


@pytest.mark.parametrize(
    ("slot_type", "state", "cores", "memory_mb", "disk_mb", "share"),
    [
        ("static", "claimed", 1, 0, 0, "claimed"),
        ("dynamic", "preempting", 1, 0, 0, "claimed"),
        ("dynamic", "matched", 1, 0, 0, "idle"),
        ("static", "owner", 1, 9999, 9999, "unavailable"),
        ("partitionable", "drained", 8, 9999, 9999, "unavailable"),
        ("partitionable", "unclaimed", 8, 9999, 9999, "idle"),
        ("partitionable", "claimed", 8, 9999, 9999, "idle"),
        ("partitionable", "unclaimed", 0, 9999, 9999, "unusable"),
        ("partitionable", "unclaimed", 8, 499, 9999, "unusable"),
        ("partitionable", "unclaimed", 8, 9999, 1023, "unusable"),
        ("partitionable", "unclaimed", 8, 500, 1024, "idle"),
    ],
)
def test_what_a_slot_is(
    slot_type: str, state: str, cores: float, memory_mb: float, disk_mb: float, share: str
) -> None:
    slot = Slot("slot1@a", slot_type, state, "idle", cores, memory_mb, 0, disk_mb)
    assert share_of(slot, RemainderLimits(memory_mb=500, disk_mb=1024)) == share


def test_a_slot_type_that_is_called_all_does_not_touch_the_sum() -> None:
    tally = SlotTally(RemainderLimits(0, 0))
    tally.add(Slot("slot1@a", "all", "total", "idle", 1, 1, 0, 0))
    values = dict(slots_values("g", tally))
    assert values["grids.g.slots.all.total"] == 1
    assert sum(value for path, value in values.items() if path.startswith("grids.g.slots.")) == 4
