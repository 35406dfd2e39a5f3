"""What the manager asks of a cloud, and how a cloud's refusals are told apart.

A provider's file has a function `open_provider(name, options, fleet)`, which gives a `Provider`: `name` and
`options` are the table `[provider.NAME]` of the configuration without its `kind`, `fleet` marks what is this
fleet's (the value of the tag FLEET_TAG). It raises ProviderRefused, by name, for options that it does not
take. Keys are found where the cloud's own library looks for them, and nowhere else.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from worker.machines.model import (
    GROUP_NAME,
    NAME,
    CloudListing,
    CloudQuota,
    Leftover,
    MachineError,
    MachineOrder,
    MachineSize,
)

FLEET_TAG = "cloud-monitor-fleet"
GROUP_TAG = "cloud-monitor-group"
NAME_TAG = "cloud-monitor-machine"

KINDS = ("openstack", "ec2", "azure", "condor", "local")
# kind -> the extra of this package that has its library
EXTRAS = {"openstack": "openstack", "ec2": "ec2", "azure": "azure-machines", "condor": "worker"}
MIB_OF_GIB = 1024  # clouds tell memory in MiB
ANSWER_S = 30  # that a cloud has for one answer


class ProviderOptions(BaseModel):
    """What `[provider.NAME]` may say; keys are no options, and refused as such."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Options = TypeVar("Options", bound=ProviderOptions)


class ProviderError(MachineError):
    """A cloud's refusal or fault; the message has the cloud's own words."""


class ProviderUnavailable(ProviderError):
    """The cloud did not answer, or its answer was not understood: nothing is known."""


class ProviderRefused(ProviderError):
    """What was asked for is wrong and will be refused again: no such image, no permission, a bad option."""


class QuotaRefused(ProviderError):
    """The account may have no more of it."""


class CapacityRefused(ProviderError):
    """The cloud has none of it now."""


class ProviderThrottled(ProviderError):
    """Asked too often."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Provider(Protocol):
    """A cloud. Each method raises ProviderError, of the class above that fits."""

    @property
    def name(self) -> str: ...

    def sizes(self) -> Sequence[MachineSize]:
        """What it sells."""

    def create(self, order: MachineOrder) -> str:
        """The id of the machine of that name, made unless it is there already. Returns when the cloud has
        accepted it. It bears the tags FLEET_TAG, GROUP_TAG and NAME_TAG, as do its disks and interfaces
        where the cloud has tags for them, and they end with it where the cloud can do that.
        """

    def list(self) -> CloudListing:
        """Everything with this fleet's tag. An answer that is not understood, or not whole, is
        ProviderUnavailable and never an empty listing.
        """

    def delete(self, provider_id: str) -> None:
        """Ends the machine with its disks and interfaces. One that is gone already is no error."""

    def delete_leftover(self, leftover: Leftover) -> None:
        """Gone already is no error."""

    def limits(self) -> CloudQuota:
        """What the account has, and may have."""


def open_provider(kind: str, name: str, options: Mapping[str, object], fleet: str) -> Provider:
    """Raises ProviderRefused when there is no such kind, or its library is not installed."""
    if kind not in KINDS:
        raise ProviderRefused(f"provider {name}: kind is {kind!r}; there are {', '.join(KINDS)}")
    try:
        module: ModuleType = importlib.import_module(f"worker.machines.providers.{kind}")
    except ImportError as error:
        extra = EXTRAS.get(kind, kind)
        raise ProviderRefused(
            f"provider {name}: {error}; install it with: pip install 'cloud-monitor[{extra}]'"
        ) from None
    provider: Provider = module.open_provider(name, options, fleet)
    return provider


def read_options(options: type[Options], name: str, given: Mapping[str, object]) -> Options:
    """Raises ProviderRefused, which names the option and not its value: it could be a key."""
    try:
        return options.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        raise ProviderRefused(
            f"provider {name}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from None


def retry_after_s(header: str | None) -> float | None:
    """Of the HTTP header, where it says seconds; a date is left unread."""
    return float(header) if header and header.strip().isdigit() else None


def tagged_names(tags: Mapping[str, object], provider_id: str) -> tuple[str, str]:
    """(the machine's name, its group) as its tags say. Others can write tags too: what is no name is the last
    of the id in its place, what is no group is none ("").
    """
    name, group = str(tags.get(NAME_TAG) or ""), str(tags.get(GROUP_TAG) or "")
    if not NAME.fullmatch(name):
        name = "unnamed-" + (re.sub(r"[^a-z0-9]+", "-", provider_id.lower())[-40:].strip("-") or "0")
    return name, group if GROUP_NAME.fullmatch(group) else ""
