"""The values of machines: what is asked of a cloud, what a cloud says, what the queue keeps of each.

Times are seconds since the epoch, prices of an hour in the currency that the operator writes them in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from worker.errors import WorkerError

# What every cloud takes as the name of a machine, and HOST_NAME as that of a host
NAME = re.compile(r"[a-z][a-z0-9-]{0,59}[a-z0-9]")
GROUP_NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")


class MachineError(WorkerError):
    """Something about machines; the message says what, and what to do."""


class CloudState(StrEnum):
    """What a cloud says of a machine."""

    BOOTING = "booting"  # accepted, being built, starting
    RUNNING = "running"
    STOPPED = "stopped"  # off, and it still costs or holds quota
    FAILED = "failed"  # the cloud gave up on it: OpenStack's ERROR
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class MachineSize:
    """What a cloud sells under a name. 0: not said by the cloud."""

    name: str
    cores: int
    memory_gb: float
    storage_gb: float = 0
    bandwidth_mbps: float = 0
    gpus: int = 0
    price_per_hour: float | None = None  # None: the cloud does not say
    storage_fixed: bool = False  # no larger disk can be asked for


@dataclass(frozen=True, slots=True)
class MachineOrder:
    """One machine to be made. `name` is its tag and client token too: asked twice, one machine."""

    name: str
    group: str
    size: str
    user_data: str = ""  # cloud-init
    environment: Mapping[str, str] = field(default_factory=dict)  # of its supervisor, where no user data is
    leave_idle_s: float = 900  # `run --leave-idle`, where no user data is
    spot: bool = False
    storage_gb: int = 0  # 0: the size's own


@dataclass(frozen=True, slots=True)
class CloudMachine:
    """A machine of this fleet, as its cloud lists it."""

    provider_id: str
    name: str
    group: str  # of its tag; "" where it has none
    state: CloudState
    created_at: float | None = None
    fault: str = ""  # in the cloud's words
    spot: bool = False
    size: str = ""


@dataclass(frozen=True, slots=True)
class Leftover:
    """What outlived its machine and costs, or holds quota."""

    kind: str  # disk, port, nic, address, ... in the cloud's terms
    provider_id: str
    name: str
    machine: str = ""  # the name of the machine that it was of, where that is known


@dataclass(frozen=True, slots=True)
class CloudListing:
    """All that is this fleet's in one cloud: whole, or an error is raised instead."""

    machines: tuple[CloudMachine, ...] = ()
    leftovers: tuple[Leftover, ...] = ()


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """Of one kind of resource: in use, and how much there may be (None: no limit, or it is not said)."""

    used: float
    limit: float | None

    @property
    def left(self) -> float:
        return float("inf") if self.limit is None else max(0.0, self.limit - self.used)

    @property
    def used_pct(self) -> float:
        return 0.0 if not self.limit else 100 * self.used / self.limit


@dataclass(frozen=True, slots=True)
class CloudQuota:
    """What the account may have."""

    machines: QuotaUse = QuotaUse(0, None)
    cores: QuotaUse = QuotaUse(0, None)
    memory_gb: QuotaUse = QuotaUse(0, None)

    def room_for(self, size: MachineSize) -> int | None:
        """How many more of that size; None: no limit is known."""
        shares = [self.machines.left]
        if size.cores:
            shares.append(self.cores.left / size.cores)
        if size.memory_gb:
            shares.append(self.memory_gb.left / size.memory_gb)
        least = min(shares)
        return None if least == float("inf") else int(least + 1e-9)

    @property
    def used_pct(self) -> float:
        """Of what is nearest to its limit."""
        return max(use.used_pct for use in (self.machines, self.cores, self.memory_gb))
