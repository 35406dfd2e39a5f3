"""What a group's places are in their clouds' words: size, price, and how many more the quota leaves.

Sizes are asked for once, a quota at most once a minute unless a machine is about to be made.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from worker.machines.configuration import GroupConfig, MachinesConfig, PlaceConfig
from worker.machines.model import CloudQuota, MachineSize
from worker.machines.placement import PlaceView
from worker.machines.presets import smallest_fitting
from worker.machines.providers.base import Provider, ProviderError, ProviderRefused
from worker.queue.machines import Offer
from worker.queue.manager_lease import MachineView

log = logging.getLogger(__name__)
_QUOTA_S = 60.0
Refusals = Mapping[str, tuple[int, float, str]]  # place -> (times in a row, asked again at, why)


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
            self._sizes[provider.name] = provider.sizes()
        sizes = self._sizes[provider.name]
        if place.size:
            found = next((size for size in sizes if size.name == place.size), None)
            return found or MachineSize(place.size, 0, 0)
        fitting = smallest_fitting(sizes, self._config.preset[place.preset])
        if fitting is None:
            raise ProviderRefused(f"{place.provider} has no size with all of preset {place.preset}")
        return fitting

    def of_group(
        self, group: str, config: GroupConfig, view: MachineView, refused: Refusals, now: bool = False
    ) -> list[Offer]:
        """`now`: by the quota of this moment."""
        return [self._offer(group, place, view, refused, now) for place in config.place]

    def _offer(
        self, group: str, place: PlaceConfig, view: MachineView, refused: Refusals, now: bool
    ) -> Offer:
        """What a cloud does not say limits nothing."""
        there = sum(row.group_name == group and row.size == place.name for row in view.machines)
        _, retry_at, fault = refused.get(place.name, (0, 0.0, ""))
        room: int | None = None if place.most is None else place.most - there
        size, said = MachineSize(place.size, 0, 0), fault if retry_at > view.now else ""
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
            storage_gb=max(size.storage_gb, preset.storage_gb if preset else 0),
            bandwidth_mbps=size.bandwidth_mbps,
            gpus=size.gpus,
            price_per_hour=place.price_per_hour or size.price_per_hour or 0,
            spot=place.spot,
            room=None if room is None else max(0, room),
            quota_pct=quota.used_pct,
            fault=said,
        )

    def _quota(self, name: str, now: bool) -> CloudQuota:
        asked_s, quota = self._quotas.get(name, (0.0, CloudQuota()))
        if now or name not in self._quotas or time.monotonic() - asked_s > _QUOTA_S:
            quota = self.provider(name).limits()
            self._quotas[name] = (time.monotonic(), quota)
        return quota


def place_views(group: str, offers: Sequence[Offer], view: MachineView, refused: Refusals) -> list[PlaceView]:
    """The places as the choice of the next one looks at them."""
    return [
        PlaceView(
            offer.place,
            sum(row.group_name == group and row.size == offer.place for row in view.machines),
            offer.room,
            offer.price_per_hour,
            None,
            max(1, int(offer.cores)),
            offer.spot,
            *refused.get(offer.place, (0, 0.0, ""))[1:],
        )
        for offer in offers
    ]
