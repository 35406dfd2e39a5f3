"""What a list says of one VM and of one job, with the bounds of every field; what is kept of their past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from pydantic import Field

from cloud_monitor.inventory import UNREGISTERED, YEAR_2100_S, is_unregistered
from cloud_monitor.metrics.paths import NAME_LENGTH_MAX
from cloud_monitor.system.text import TEXT_LENGTH_MAX

_NAME = r"^[A-Za-z0-9_-]*$"  # of metric paths, so that lists and figures name the same records alike
TYPES_MAX = 100  # job types of one job

Name = Annotated[str, Field(pattern=_NAME, max_length=NAME_LENGTH_MAX)]  # may be empty: not known
Status = Annotated[str, Field(pattern=_NAME, min_length=1, max_length=NAME_LENGTH_MAX)]
Text = Annotated[str, Field(max_length=TEXT_LENGTH_MAX)]
Key = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Code = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Time = Annotated[int, Field(ge=0, lt=YEAR_2100_S)]

GONE, UNLISTED = "gone", "unlisted"  # absent from a complete list; from one that had no room for all


@dataclass(frozen=True, slots=True)
class VmRecord:
    host: Key
    status: Status
    name: Text = ""  # the cloud's own name or id
    cloud: Name = ""
    vmtype: Name = ""
    machine: Text = ""  # its full name in HTCondor
    idle: bool | None = None  # this and the next three: None where HTCondor did not say
    registered: bool | None = None  # known to HTCondor
    busy_slots: Count | None = None
    slots: Count | None = None
    since: Time | None = None  # in this status
    started_at: Time | None = None

    @property
    def key(self) -> str:
        return self.host

    @property
    def types(self) -> tuple[str, ...]:
        return (self.vmtype,) if self.vmtype else ()

    @property
    def states(self) -> tuple[str, ...]:
        """The status, and what else a filter by status finds it under."""
        unregistered = is_unregistered(self.status, self.registered)
        return (self.status, *(["idle"] if self.idle else []), *([UNREGISTERED] if unregistered else []))

    @property
    def on_host(self) -> str:
        """A VM is where it is."""
        return ""


@dataclass(frozen=True, slots=True)
class JobRecord:
    id: Key
    status: Status
    schedd: Text = ""
    types: Annotated[tuple[Name, ...], Field(max_length=TYPES_MAX)] = ()
    user: Text = ""
    group: Text = ""
    queued_at: Time | None = None
    since: Time | None = None  # in this status
    host: Text = ""
    last_host: Text = ""
    cloud: Name = ""
    hold_code: Code | None = None
    hold_reason: Text = ""
    starts: Count = 0

    @property
    def key(self) -> str:
        """Two schedds may have jobs of the same number."""
        return f"{self.id}@{self.schedd}" if self.schedd else self.id

    @property
    def states(self) -> tuple[str, ...]:
        return (self.status,)

    @property
    def on_host(self) -> str:
        """The host it is on."""
        return self.host


Record = VmRecord | JobRecord
RECORD_TYPES: dict[str, type[VmRecord] | type[JobRecord]] = {"vms": VmRecord, "jobs": JobRecord}


@dataclass(frozen=True, slots=True)
class RecordList:
    """The VMs, or jobs, of a payload; `total`, by status if known, counts what it had no room for too."""

    records: tuple[Record, ...]
    total: int | dict[str, int] | None
    is_cut: bool  # whoever is not in it may be there all the same


@dataclass(frozen=True, slots=True)
class InventoryPayload:
    """What a grid's collector sends, taken at an epoch second. What `lists` lacks could not be asked for."""

    taken_at: int
    lists: Mapping[str, RecordList]


class Change(NamedTuple):
    """From `at` (epoch seconds) on it was in this status, a job on this host."""

    status: str
    host: str
    at: int


@dataclass(frozen=True, slots=True)
class TrackedRecord:
    """A VM or job as it was last seen, with its changes, oldest first; `gone_at` is when it was missed."""

    key: str
    record: Record
    since: int
    first_seen_at: int
    gone_at: int | None
    changes: tuple[Change, ...]

    @property
    def status(self) -> str:
        """Its status of now: GONE or UNLISTED once it is no longer in the list."""
        return self.record.status if self.gone_at is None else self.changes[-1].status


@dataclass(frozen=True, slots=True)
class ListSummary:
    """The newest list of VMs or jobs. `totals`, by status if known, counts what it had no room for, too."""

    taken_at: int
    total: int | None
    totals: dict[str, int]
    listed: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The part that was asked for: its records, how many the filter found, how many there are by status.

    `by_status` leaves the filter's own status out of account; `clouds` and `types` are those of all records.
    """

    records: tuple[TrackedRecord, ...]
    found: int
    by_status: dict[str, int]
    clouds: tuple[str, ...]
    types: tuple[str, ...]
