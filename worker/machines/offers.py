"""What a group's places are in their clouds' words: size, price, and how many more the quota leaves; for the
manager, and in sentences for people.

Sizes are asked for once, a quota at most once a minute unless a machine is about to be made.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence

from worker.machines.configuration import GroupConfig, MachinesConfig, PlaceConfig
from worker.machines.model import CloudQuota, MachineSize
from worker.machines.placement import PlaceView, smallest_fitting
from worker.machines.providers.base import Provider, ProviderError, ProviderRefused
from worker.queue.machines.lease import MachineView
from worker.queue.machines.machines import Offer
from worker.queue.machines.places import LearnedPlace, PlaceRefusal

log = logging.getLogger(__name__)
_QUOTA_S = 60.0
Refusals = Mapping[str, PlaceRefusal]  # by place
Learned = Mapping[str, LearnedPlace]  # by place


class Offers:
    def __init__(self, config: MachinesConfig, providers: Mapping[str, Provider]) -> None:
        self._config = config
        self._providers = providers
        self._sizes: dict[str, Sequence[MachineSize]] = {}
        self._quotas: dict[str, tuple[float, CloudQuota]] = {}

    def provider(self, name: str) -> Provider:
        """Raises ProviderRefused."""
        if name not in self._providers:
            raise ProviderRefused(f"there is no [provider.{name}] in the configuration any more")
        return self._providers[name]

    def size(self, place: PlaceConfig) -> MachineSize:
        """The smallest that has what the place's preset asks for. Raises ProviderError."""
        provider = self.provider(place.provider)
        if provider.name not in self._sizes:
            try:
                self._sizes[provider.name] = provider.sizes()
            except ProviderRefused:
                if place.size:  # which needs no list
                    return MachineSize(place.size, 0, 0)
                raise
        sizes = self._sizes[provider.name]
        if place.size:
            found = next((size for size in sizes if size.name == place.size), None)
            return found or MachineSize(place.size, 0, 0)
        fitting = smallest_fitting(sizes, self._config.preset[place.preset])
        if fitting is None:
            raise ProviderRefused(f"{place.provider} has no size with all of preset {place.preset}")
        return fitting

    def of_group(
        self,
        group: str,
        config: GroupConfig,
        view: MachineView,
        refused: Refusals,
        learned: Learned,
        now: bool = False,
    ) -> list[Offer]:
        """`now`: by the quota of this moment."""
        return [self._offer(group, place, view, refused, learned, now) for place in config.place]

    def _offer(
        self,
        group: str,
        place: PlaceConfig,
        view: MachineView,
        refused: Refusals,
        learned: Learned,
        now: bool,
    ) -> Offer:
        """What a cloud does not say limits nothing."""
        there = sum(row.group_name == group and row.size == place.name for row in view.machines)
        refusal, taught = refused.get(place.name), learned.get(place.name)
        room: int | None = None if place.most is None else place.most - there
        size = MachineSize(place.size, 0, 0)
        said = refusal.why if refusal is not None and refusal.retry_at > view.now else ""
        quota = CloudQuota()
        try:
            size = self.size(place)
            quota = self._quota(place.provider, now)
            quota_room = quota.room_for(size)
            room = min((value for value in (room, quota_room) if value is not None), default=None)
        except ProviderError as error:
            log.warning("%s: its quota is not known: %s", place.name, error)
            said = said or str(error)
        preset = self._config.preset.get(place.preset)
        return Offer(
            place=place.name,
            preset=place.preset,
            cloud_size=size.name,
            cores=size.cores,
            memory_gb=size.memory_gb,
            storage_gb=max(size.storage_gb, preset.storage_gb if preset and not size.storage_fixed else 0),
            bandwidth_mbps=size.bandwidth_mbps,
            gpus=size.gpus,
            price_per_hour=place.price_per_hour or size.price_per_hour or 0,
            spot=place.spot,
            room=None if room is None else max(0, room),
            quota_pct=quota.used_pct,
            fault=said,
            images_per_s=(taught.images_per_s or 0) if taught else 0,
            boot_s=(taught.boot_s or 0) if taught else 0,
        )

    def _quota(self, name: str, now: bool) -> CloudQuota:
        asked_s, quota = self._quotas.get(name, (0.0, CloudQuota()))
        if now or name not in self._quotas or time.monotonic() - asked_s > _QUOTA_S:
            quota = self.provider(name).limits()
            self._quotas[name] = (time.monotonic(), quota)
        return quota


def place_views(group: str, offers: Sequence[Offer], view: MachineView, refused: Refusals) -> list[PlaceView]:
    """The places as the choice of the next one looks at them."""
    return [_place_view(group, offer, view, refused.get(offer.place)) for offer in offers]


def _place_view(group: str, offer: Offer, view: MachineView, refusal: PlaceRefusal | None) -> PlaceView:
    return PlaceView(
        offer.place,
        sum(row.group_name == group and row.size == offer.place for row in view.machines),
        offer.room,
        offer.price_per_hour,
        offer.images_per_s or None,
        max(1, int(offer.cores)),
        offer.spot,
        0 if refusal is None else refusal.retry_at,
        "" if refusal is None else refusal.why,
        offer.boot_s,
    )


def preview(
    config: MachinesConfig, providers: Mapping[str, Provider], group: str, preset: str
) -> Iterator[str]:
    """A sentence for each of the group's places that has the preset."""
    for place in config.group[group].place:
        if place.preset != preset:
            continue
        try:
            provider = providers[place.provider]
            sizes = provider.sizes()
            size = (
                next((size for size in sizes if size.name == place.size), None)
                if place.size
                else smallest_fitting(sizes, config.preset[preset])
            )
            if size is None:
                yield f"{place.name}: no size has all of preset {preset}"
                continue
            room = provider.limits().room_for(size)
        except ProviderError as error:
            yield f"{place.name}: {error}"
            continue
        price = place.price_per_hour or size.price_per_hour
        cost = f"{price:g} an hour" if price else "price not known"
        left = "the quota is not limited" if room is None else f"the quota leaves {room} more"
        yield f"{place.name}: {described(size)}, {cost}; {left}"


def described(size: MachineSize) -> str:
    gpus = f", {size.gpus} GPUs" if size.gpus else ""
    storage = f", {size.storage_gb:g} GB storage" if size.storage_gb else ""
    return f"{size.name} ({size.cores} cores, {size.memory_gb:g} GB memory{storage}{gpus})"
