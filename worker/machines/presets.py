"""What a machine shall have at least, and which size of a cloud that is (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from worker.machines.model import MachineSize

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
