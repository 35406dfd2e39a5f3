"""The file that says which groups of machines there are, in which clouds and sizes; no keys are in it.

fleet = "decimer"                 # tags what is this fleet's

[preset.large]
cores = 16
memory_gb = 32

[provider.victoria]
kind = "openstack"                # the other lines are the provider's own

[group.workers]
most = 20
[[group.workers.place]]
provider = "victoria"
preset = "large"                  # or size = "c16-60gb"
price_per_hour = 0.84
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cloud_monitor.settings import read_toml
from worker.machines.model import GROUP_NAME, MachineError
from worker.machines.placement import Policy, Preset
from worker.machines.scaling import DeadlineRule, ScalingRule, ThresholdRule

_STRICT = ConfigDict(extra="forbid", frozen=True)


class ProviderConfig(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str

    @property
    def options(self) -> Mapping[str, object]:
        return dict(self.model_extra or {})


class PlaceConfig(BaseModel):
    model_config = _STRICT

    provider: str
    preset: str = ""
    size: str = ""  # as its cloud calls it, in place of the smallest that fits the preset
    most: int | None = Field(None, ge=0)
    price_per_hour: float = Field(0, ge=0)
    spot: bool = False

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.size or self.preset}{'/spot' if self.spot else ''}"

    @model_validator(mode="after")
    def _check_size(self) -> PlaceConfig:
        if not (self.preset or self.size):
            raise ValueError("a place names a preset or a size")
        return self


class GroupConfig(BaseModel):
    model_config = _STRICT

    place: tuple[PlaceConfig, ...] = Field(min_length=1)
    placement: Policy = "in_order"
    spot_share: float = Field(1, ge=0, le=1)
    rule: Literal["deadline", "thresholds"] = "deadline"
    least: int = Field(0, ge=0, le=1000)
    most: int = Field(20, ge=0, le=1000)
    aim: float = Field(0.57, gt=0, le=1)
    settle_s: float = Field(300, ge=0)
    drain_s: float = Field(7200, gt=0)  # within which work without a deadline is to be done
    idle_s: float = Field(60, ge=0)
    up_pct: float = Field(80, gt=0, le=100)
    down_pct: float = Field(20, ge=0, le=100)
    cooldown_s: float = Field(60, ge=0)
    images_per_s: float = Field(1, gt=0)  # of one machine, until it is learned
    boot_s: float = Field(180, ge=0)  # until it is learned
    boot_give_up_s: float = Field(600, gt=0)
    silent_s: float = Field(30, ge=1)
    lost_s: float = Field(300, ge=1)
    missing_s: float = Field(120, ge=0)
    leave_s: float = Field(60, ge=1)  # for a machine to drain, after which it is deleted
    leave_idle_s: float = Field(900, ge=1)
    lifetime_h: float | None = Field(None, gt=0)
    cost_most_month: float | None = Field(None, ge=0)
    user_data: Path | None = None  # cloud-init, in which {name} and {leave_idle_s} are filled in

    @property
    def scaling_rule(self) -> ScalingRule:
        if self.rule == "thresholds":
            return ThresholdRule(
                self.least, self.most, self.up_pct / 100, self.down_pct / 100, self.cooldown_s
            )
        return DeadlineRule(
            self.least,
            self.most,
            self.aim,
            settle_s=self.settle_s,
            drain_s=self.drain_s,
            idle_s=self.idle_s,
        )


class MachinesConfig(BaseModel):
    model_config = _STRICT

    fleet: str = Field("cloud-monitor", pattern=r"^[a-z][a-z0-9-]{0,29}$")
    every_s: float = Field(30, gt=0, le=600)
    lease_s: float = Field(60, ge=1, le=600)  # after which another manager takes over from a silent one
    preset: dict[str, Preset] = {}
    provider: dict[str, ProviderConfig]
    group: dict[str, GroupConfig]

    @model_validator(mode="after")
    def _check_names(self) -> MachinesConfig:
        for name, group in self.group.items():
            if not GROUP_NAME.fullmatch(name):
                raise ValueError(f"group {name!r}: a name is of a-z, 0-9 and -, at most 30, a letter first")
            if group.least > group.most:
                raise ValueError(f"group {name}: least {group.least} is more than most {group.most}")
            for place in group.place:
                if group.cost_most_month is not None and "price_per_hour" not in place.model_fields_set:
                    raise ValueError(
                        f"group {name}: with cost_most_month its place {place.name} needs a price_per_hour"
                        " (0 where it costs nothing)"
                    )
                if place.provider not in self.provider:
                    raise ValueError(f"group {name}: there is no [provider.{place.provider}]")
                if place.preset and place.preset not in self.preset:
                    raise ValueError(f"group {name}: there is no [preset.{place.preset}]")
        return self


def read_machines_config(path: Path) -> MachinesConfig:
    """Raises MachineError, which names the file and the line of it that is refused."""
    try:
        content: dict[str, Any] = read_toml(path)
        return MachinesConfig.model_validate(content)
    except OSError as error:
        raise MachineError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise MachineError(f"{path}: {'; '.join(lines)}") from None
    except ValueError as error:  # of read_toml
        raise MachineError(f"{path}: {error}") from None
