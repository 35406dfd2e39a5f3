"""Which of the groups' places a machine that somebody asks for is made in (pure).

What a place is, costs and has room for is what the manager reported last; this app asks no cloud.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from worker.queue.statistics.machines import GroupFigures, Offer


class MachineRequest(BaseModel):
    """A preset, or what it shall have at least; 0 and "" ask for nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    group: str = Field("", max_length=30)
    place: str = Field("", max_length=200)
    preset: str = Field("", max_length=100)
    cores: int = Field(0, ge=0, le=32)
    memory_gb: float = Field(0, ge=0, le=256)
    storage_gb: float = Field(0, ge=0, le=10_000)
    bandwidth_mbps: float = Field(0, ge=0, le=10_000)
    gpus: int = Field(0, ge=0, le=16)
    count: int = Field(1, ge=1, le=100)


class OfferChoice(NamedTuple):
    group: str
    offer: Offer

    def described(self, count: int) -> Mapping[str, Any]:
        offer = self.offer
        return {
            "group": self.group,
            "place": offer.place,
            "preset": offer.preset,
            "size": offer.cloud_size,
            "cores": offer.cores,
            "memory_gb": offer.memory_gb,
            "storage_gb": offer.storage_gb,
            "bandwidth_mbps": offer.bandwidth_mbps,
            "gpus": offer.gpus,
            "spot": offer.spot,
            "count": count,
            "price_per_hour": offer.price_per_hour * count,
            "room": offer.room,
        }


class NothingFits(Exception):
    """No place has all that is asked for; the message says why of each."""


_TOLERANCE = 0.97  # a "16 GB" machine of one cloud has 15.6 in another's words


def choose_offer(asked: MachineRequest, groups: Iterable[GroupFigures]) -> OfferChoice:
    """The cheapest place that has all of it and room for so many. Raises NothingFits."""
    fitting: list[OfferChoice] = []
    reasons: list[str] = []
    for group in groups:
        if asked.group and group.row.name != asked.group:
            continue
        for offer in group.row.places:
            why = _refusal(asked, offer, group)
            if why:
                reasons.append(f"{group.row.name}, {offer.place}: {why}")
            else:
                fitting.append(OfferChoice(group.row.name, offer))
    if not fitting:
        raise NothingFits("; ".join(reasons[:5]) or "the manager has told of no place to make a machine in")
    return min(fitting, key=lambda choice: choice.offer.price_per_hour)


def _refusal(asked: MachineRequest, offer: Offer, group: GroupFigures) -> str:
    if asked.place and offer.place != asked.place:
        return f"is not {asked.place}"
    if asked.preset and offer.preset != asked.preset:
        return f"has preset {offer.preset or 'none'}"
    for name, needed, there in (
        ("cores", asked.cores, offer.cores),
        ("GB of memory", asked.memory_gb * _TOLERANCE, offer.memory_gb),
        ("GB of storage", asked.storage_gb, offer.storage_gb),
        ("Mbps", asked.bandwidth_mbps, offer.bandwidth_mbps),
    ):
        if there and needed > there:
            return f"has {there:g} {name}"
    if asked.gpus > offer.gpus:
        return f"has {offer.gpus:g} GPUs"
    if offer.fault:
        return offer.fault
    if offer.room is not None and asked.count > offer.room:
        return f"the quota leaves {offer.room}"
    most = group.row.figures.get("most")
    if isinstance(most, int | float) and group.there + asked.count > most:
        return f"the group has {group.there} of at most {most:g} machines"
    return ""
