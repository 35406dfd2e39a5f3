"""What a machine of a preset would be: its size, its price, and what the quota leaves of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from worker.machines.configuration import MachinesConfig
from worker.machines.model import MachineSize
from worker.machines.presets import smallest_fitting
from worker.machines.providers.base import Provider, ProviderError


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
