"""Where a group's next machine is made, and which size of a cloud has what it shall have at least (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from worker.machines.model import MachineSize

Policy = Literal["cheapest", "spread", "in_order"]


@dataclass(frozen=True, slots=True)
class PlaceView:
    """A provider and a size, as they are now."""

    name: str
    machines: int  # of the group, there now
    room: int | None = None  # how many more the quota and the configuration leave; None: not limited
    price_per_hour: float = 0
    images_per_s: float | None = None  # of one machine, as learned; None: not yet
    cores: int = 1
    spot: bool = False
    retry_at: float = 0  # refused until then
    fault: str = ""  # why, in the cloud's words
    boot_s: float = 0  # as learned; 0: not yet


@dataclass(frozen=True, slots=True)
class PlaceChoice:
    place: str | None  # None: nowhere
    reason: str


def choose_place(places: Sequence[PlaceView], policy: Policy, spot_share: float, now_s: float) -> PlaceChoice:
    """`cheapest`: per image as learned, per core until all have told; of equals the one that boots sooner.
    `spread`: where the fewest are. `in_order`: the first of the configuration that has room: one's own cloud
    before one that bills. Of spot machines there are at most `spot_share`, and they are taken first while
    there are fewer.
    """
    refused = []
    open_places = []
    for place in places:
        if place.room is not None and place.room <= 0:
            refused.append(f"{place.name} has no room left")
        elif place.retry_at > now_s:
            refused.append(f"{place.name} is asked again in {place.retry_at - now_s:.0f} s: {place.fault}")
        else:
            open_places.append(place)
    if not open_places:
        return PlaceChoice(None, "; ".join(refused) or "no place is configured")
    after = 1 + sum(place.machines for place in places)
    spot = 1 + sum(place.machines for place in places if place.spot)
    is_spot_next = spot / after <= spot_share
    of_kind = [place for place in open_places if place.spot is is_spot_next]
    if not of_kind and not is_spot_next and spot_share == 0:
        return PlaceChoice(None, "; ".join([*refused, "only spot places are left, and spot_share is 0"]))
    candidates = of_kind or open_places
    if policy == "in_order":
        return PlaceChoice(candidates[0].name, "first with room")
    if policy == "spread":
        best = min(candidates, key=lambda place: place.machines)
        return PlaceChoice(best.name, f"fewest machines: {best.machines}")
    learned = all(place.images_per_s for place in candidates)
    best = min(candidates, key=lambda place: (_price(place, learned), place.boot_s))
    if learned:
        cost = _price(best, learned) / 3600 * 1000
        return PlaceChoice(best.name, f"cheapest per image, {cost:.3g} for 1,000")
    return PlaceChoice(best.name, f"cheapest per core, {best.price_per_hour:g} an hour")


def _price(place: PlaceView, learned: bool) -> float:
    return place.price_per_hour / ((place.images_per_s or 1) if learned else max(1, place.cores))


_TOLERANCE = 0.97  # a "16 GB" machine of one cloud has 15.6 in another's words


class Preset(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    cores: int = Field(ge=1, le=32)
    memory_gb: float = Field(ge=1, le=256)
    storage_gb: int = Field(40, ge=10, le=10_000)
    bandwidth_mbps: int = Field(10, ge=10, le=10_000)
    gpus: int = Field(0, ge=0, le=16)


def fits(size: MachineSize, preset: Preset) -> bool:
    """What a cloud does not say (0) is not held against it, but for cores, memory and GPUs. A disk that
    cannot be had larger has what the preset states; where it states nothing, it is as it is.
    """
    return (
        size.cores >= preset.cores
        and size.memory_gb >= preset.memory_gb * _TOLERANCE
        and size.gpus >= preset.gpus
        and (not _asks_storage(size, preset) or size.storage_gb >= preset.storage_gb * _TOLERANCE)
        and (not size.bandwidth_mbps or size.bandwidth_mbps >= preset.bandwidth_mbps)
    )


def _asks_storage(size: MachineSize, preset: Preset) -> bool:
    return size.storage_fixed and size.storage_gb > 0 and "storage_gb" in preset.model_fields_set


def smallest_fitting(sizes: Sequence[MachineSize], preset: Preset) -> MachineSize | None:
    """The cheapest that has all of it; where prices are not known, the one with the fewest cores, then the
    least memory. One without GPUs that are not needed goes first. None: there is none.
    """
    fitting = [size for size in sizes if fits(size, preset)]
    priced = [size for size in fitting if size.price_per_hour is not None]
    return min(
        priced or fitting,
        key=lambda size: (size.price_per_hour or 0, size.gpus, size.cores, size.memory_gb, size.name),
        default=None,
    )
