"""The collector's settings: a group of fields for each of those who use them."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from cloud_monitor.inventory import LISTED_MAX
from cloud_monitor.metrics.paths import build_path, clean
from cloud_monitor.setting_types import (
    LogLevel,
    Names,
    SecretUrl,
    SettingsGroup,
    Table,
    UserPath,
    default_state_dir,
    split_assignments,
    split_names,
)
from cloud_monitor.settings import Reader, Warn
from collector.azure.resources import (
    CALLS_PER_HOUR_MAX,
    STORAGE,
    VM,
    calls_per_hour,
    check_azure_url,
    check_resources,
    parse_resources,
)
from collector.delivery.destinations import Destination, parse_destinations
from collector.isolate import Task, run_isolated
from collector.model import Collected

PREFIX = "COLLECTOR_"
_CHECK_TIMEOUT_S = 15


def _destinations(value: object) -> object:
    if isinstance(value, str):
        value = split_names(value) if value.lstrip().startswith('["') else parse_destinations(value)
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return parse_destinations(",".join(value))
    return value


class Command(SettingsGroup):
    """One program of the operator, started without a shell."""

    run: str = Field(min_length=1)
    timeout_s: float | None = Field(default=None, gt=0, le=40)


def _command(value: object) -> object:
    return {"run": value} if isinstance(value, str) else value


def _clean_names(commands: dict[str, Command]) -> dict[str, Command]:
    return {clean(name): command for name, command in commands.items()}


def _clean_names_of(table: dict[str, str]) -> dict[str, str]:
    return {clean(name): text for name, text in table.items()}


def _check_page_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        well = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # of a port or an IPv6 address
        well = False
    if url and (not well or not re.fullmatch(r"[!-~]+", url) or re.search(r"[@?#]", url)):
        raise ValueError("is not the address of a status page, for example https://monitor.example.org")
    return url


def _check_job_types(job_types: dict[str, str]) -> dict[str, str]:
    """Clean names; refuse faulty expressions. A child asks the bindings, whose libraries take 20 MB."""
    if not job_types:
        return job_types
    outcome = run_isolated({"job types": Task(lambda: _find_faults(job_types), _CHECK_TIMEOUT_S)})[0]
    if outcome.error:
        raise ValueError(outcome.error)
    return {clean(name): text for name, text in job_types.items()}


def _find_faults(job_types: dict[str, str]) -> Collected:
    from cloud_monitor.htcondor.expressions import find_faults

    faults = find_faults(job_types).items()
    return Collected(complaints=tuple(f"{name} = {job_types[name]}: {fault}" for name, fault in faults))


def _check_attribute(name: str) -> str:
    if name and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("is not the name of a ClassAd attribute, for example CloudProvider")
    return name


def _check_pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    if pattern and "cloud" not in groups:
        raise ValueError(r"has no group named cloud, for example ^(?P<cloud>[a-z]+)-(?P<vmtype>[a-z]+)\d+\.")
    return pattern


def _check_no_user(url: str) -> str:
    if "@" in urlsplit(url).netloc:
        raise ValueError("holds a user or password, which messages would show; there are settings for these")
    return url


Clean = Annotated[str, Field(min_length=1), AfterValidator(clean)]
Url = Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$"), AfterValidator(_check_no_user)]
PageUrl = Annotated[str, AfterValidator(_check_page_url)]
Destinations = Annotated[tuple[Destination, ...], BeforeValidator(_destinations)]
Source = Literal["auto", "host", "condor", "cloudscheduler", "fleet", "azure", "commands"]
SOURCES = tuple(name for name in get_args(Source) if name != "auto")
Sources = Annotated[tuple[Source, ...], BeforeValidator(split_names)]
Attribute = Annotated[str, AfterValidator(_check_attribute)]
JobTypes = Annotated[Table, AfterValidator(_check_job_types)]
Commands = Annotated[
    dict[str, Annotated[Command, BeforeValidator(_command)]],
    BeforeValidator(split_assignments),
    AfterValidator(_clean_names),
]


AzureVms = Annotated[
    Table, AfterValidator(partial(check_resources, kind=VM)), AfterValidator(_clean_names_of)
]
AzureStorage = Annotated[
    Table, AfterValidator(partial(check_resources, kind=STORAGE)), AfterValidator(_clean_names_of)
]
AzureQuotas = Annotated[Table, AfterValidator(check_resources), AfterValidator(_clean_names_of)]


class GridSettings(SettingsGroup):
    """Whose figures they are."""

    grid: Clean = Field(
        examples=["COLLECTOR_GRID=atlas"],
        description="name of the grid, the first name of its paths; must be set",
    )
    owner: bool = Field(
        True, description="false on further scheduler hosts of a grid: they write only their own tree"
    )
    host: Clean = Field(
        default_factory=socket.gethostname,
        validate_default=True,
        description="this host's name; unset: its own",
    )

    def own_path(self, key: str, **names: str) -> str:
        """A path of this collector or host: the grid's own, or under `hosts` for a further scheduler host."""
        if self.owner:
            return build_path(key, grid=self.grid, **names)
        return build_path(f"host_{key}", grid=self.grid, host=self.host, **names)


class SpoolSettings(SettingsGroup):
    state_dir: UserPath = Field(
        default_factory=lambda: default_state_dir("collector"),
        description="what waits to be delivered, and what the next run must know; unset: see above",
    )


class RunSettings(SettingsGroup):
    """What a run collects, and how long it may take."""

    sources: Sources = Field(
        ("auto",),
        min_length=1,
        description="host, condor, cloudscheduler, commands, fleet, azure; `auto`: what is configured here",
    )
    source_timeout_s: float = Field(25, ge=1, le=40, description="longest time of one source")
    run_timeout_s: float = Field(45, ge=5, lt=50, description="longest time of a whole run")
    log_level: LogLevel = Field("WARNING", description="least level that is logged")


class HostSettings(GridSettings, SpoolSettings):
    host_scope: Literal["container", "machine"] = Field(
        "container", description="`machine` looks past the limits of the collector's own service or container"
    )
    host_disks: Names = Field((), description="mount points to watch; unset: `/` and every local one")


class CloudSettings(GridSettings):
    """Who says which clouds there are."""

    cloud_status_command: str = Field(
        "", description="Cloud Scheduler 1: its command, for example `cloud_status -aj`"
    )
    cloudscheduler_url: Url = Field("", description="Cloud Scheduler 2: the address before /cloud/status/")
    condor_cloud_attribute: Attribute = Field(
        "", description="startd attribute that names a machine's cloud, for example CloudProvider"
    )
    condor_vmtype_attribute: Attribute = Field(
        "", description="startd attribute that names a machine's VM type"
    )
    condor_cloud_pattern: Annotated[str, AfterValidator(_check_pattern)] = Field(
        "", description="or a regular expression on the machine's name, with groups `cloud` and `vmtype`"
    )

    @property
    def has_clouds(self) -> bool:
        """Whether clouds are known at all, so that machines and jobs are told apart by them."""
        return bool(
            self.cloud_status_command
            or self.cloudscheduler_url
            or self.condor_cloud_attribute
            or self.condor_cloud_pattern
        )


class InventorySettings(GridSettings):
    """The list of single VMs and jobs for the status page."""

    inventory_url: PageUrl = Field(
        "",
        description="address of the status page, to which each run sends a list of single VMs and jobs; "
        "unset: neither collected nor sent",
    )
    inventory_token_file: UserPath | None = Field(
        None,
        validate_default=True,
        description="file whose first line is the secret shared with the page; must be set with the URL",
    )
    inventory_ca_file: UserPath | None = Field(
        None, description="certificates to trust of the page; unset: the system's"
    )
    inventory_jobs_max: int = Field(
        1000, ge=0, le=10_000, description="most jobs in the list, held ones first; 0: none are asked for"
    )
    inventory_vms_max: int = Field(
        5000, ge=0, le=LISTED_MAX, description="most VMs in the list, those with a problem first"
    )

    @field_validator("inventory_token_file")
    @classmethod
    def _check_token_file(cls, file: Path | None, given: ValidationInfo) -> Path | None:
        if file is None and given.data.get("inventory_url"):
            wanted = "is not set; COLLECTOR_INVENTORY_URL asks for it: a file with the page's secret"
            raise PydanticCustomError("asked_for", wanted)
        return file

    @property
    def has_inventory(self) -> bool:
        """Whether single VMs and jobs are listed for the status page, by one host of the grid."""
        return bool(self.inventory_url) and self.owner

    @property
    def lists_jobs(self) -> bool:
        return self.has_inventory and self.inventory_jobs_max > 0


class NamesSettings(SettingsGroup):
    """How many names that others give may become metrics."""

    condor_names_max: int = Field(
        50,
        ge=0,
        le=10_000,
        description="most users, groups and hold reasons by name in a day; the rest are summed as `other`",
    )
    fleet_batches_max: int = Field(
        100,
        ge=0,
        le=10_000,
        description="most batches of the fleet by name in a day: running ones first, then waiting ones, then "
        "those that ended within the hour",
    )


class CondorSettings(RunSettings, CloudSettings, InventorySettings, NamesSettings):
    """The HTCondor sources."""

    condor_config: UserPath | None = Field(
        None,
        description="HTCondor's configuration file, where it is not in /etc/condor: cron and systemd do not "
        "know a shell's CONDOR_CONFIG",
    )
    condor_schedds: Names = Field(
        (), description="schedds to ask for jobs, by name, separated by commas; unset: this host's"
    )
    condor_collectors: Names = Field(
        (), description="HTCondor collectors to ask for machines, host[:port]; unset: the configured pool's"
    )
    job_types: JobTypes = Field(
        default_factory=dict,
        description="`name = ClassAd expression` over jobs, separated by `;`: it counts in each that is true",
    )
    condor_users: Literal["shown", "hashed", "hidden"] = Field(
        "shown",
        description="names of users, in paths and in the list of jobs with its hold reasons: `shown`, "
        "`hashed` or `hidden`",
    )
    condor_users_key: SecretStr = Field(
        SecretStr(""), description="key of the hash, so that names cannot be guessed from it"
    )
    condor_unusable_memory_mb: int = Field(
        500, ge=0, description="a partitionable slot with less memory left is unusable"
    )
    condor_unusable_disk_mb: int = Field(
        1024, ge=0, description="a partitionable slot with less disk left is unusable"
    )


class CloudSchedulerSettings(RunSettings, CloudSettings, InventorySettings, NamesSettings):
    cloudscheduler_group: str = Field(
        "", description="its group; unset: all, with the group in the clouds' names"
    )
    cloudscheduler_user: str = Field("", description="its user")
    cloudscheduler_password: SecretStr = Field(SecretStr(""), description="the user's password")
    cloudscheduler_credentials_file: Path | None = Field(None, description="or a file with `user:password`")
    cloudscheduler_ca_file: Path | None = Field(
        None, description="certificates to trust; unset: the system's"
    )
    cloudscheduler_cert_file: Path | None = Field(None, description="client certificate, instead of a user")
    cloudscheduler_key_file: Path | None = Field(None, description="its key")
    cloudscheduler_vm_list: bool = Field(
        True, description="ask for the list of VMs too, so that they can be compared with HTCondor's machines"
    )
    live_hosts_max: int = Field(
        1000, ge=0, le=100_000, description="most VMs shown by name in a day; the rest are summed as `other`"
    )


class CommandSettings(GridSettings):
    commands: Commands = Field(
        default_factory=dict,
        description="programs that print `path value` lines: `name = command`, separated by `;`; in a file "
        "also `name = {run = ..., timeout_s = ...}`",
    )
    command_timeout_s: float = Field(10, gt=0, le=40, description="longest time of one of them")


class FleetSettings(GridSettings, NamesSettings):
    fleet_database_url: SecretUrl = Field("", description="queue of the worker fleet; unset: no fleet source")
    fleet_names_max: int = Field(
        200, ge=0, le=10_000, description="most worker hosts by name; the rest are summed as `other`"
    )


class AzureSourceSettings(RunSettings, GridSettings, SpoolSettings):
    """Azure's own view of the grid's machines (docs/telemetry.md)."""

    azure_vms: AzureVms = Field(
        default_factory=dict,
        description="VMs: `name = REGION:/subscriptions/.../virtualMachines/NAME`, separated by `;`",
    )
    azure_storage: AzureStorage = Field(
        default_factory=dict,
        description="storage accounts: `name = REGION:/subscriptions/.../storageAccounts/NAME`",
    )
    azure_storage_limit_gb: float = Field(
        5 * 1024**5 / 1e9,
        gt=0,
        description="capacity that each of them may have; unless set, the 5 PiB that Azure gives",
    )
    azure_quotas: AzureQuotas = Field(
        default_factory=dict,
        validate_default=True,
        description="quotas of cores and storage accounts: `name = REGION:/subscriptions/UUID`; all "
        "three may take 1200 calls an hour together",
    )
    azure_client_id: str = Field(
        "",
        pattern=r"^[0-9a-fA-F-]*$",
        description="of a managed identity that a user made; unset: the machine's",
    )
    azure_arm_url: Annotated[str, AfterValidator(check_azure_url)] = Field(
        "https://management.azure.com",
        description="Azure Resource Manager, which another cloud has elsewhere",
    )
    azure_metrics_url: Annotated[str, AfterValidator(check_azure_url)] = Field(
        "https://{region}.metrics.monitor.azure.com",
        description="its metrics; `{region}` is that of what is asked",
    )

    @property
    def has_azure(self) -> bool:
        return bool(self.azure_vms or self.azure_storage or self.azure_quotas)

    @field_validator("azure_quotas")
    @classmethod
    def _check_budget(cls, quotas: dict[str, str], given: ValidationInfo) -> dict[str, str]:
        vms = parse_resources(given.data.get("azure_vms", {}), VM)
        storage = parse_resources(given.data.get("azure_storage", {}), STORAGE)
        calls = calls_per_hour(vms, storage, list(quotas))
        if calls > CALLS_PER_HOUR_MAX:
            text = (
                f"{len(vms)} VMs, {len(storage)} storage accounts and {len(quotas)} quotas take {calls} "
                f"calls an hour, over {CALLS_PER_HOUR_MAX}: name fewer, of fewer regions and subscriptions"
            )
            raise PydanticCustomError("budget", "{text}", {"text": text})
        return quotas


class DeliverySettings(GridSettings, SpoolSettings):
    carbon: Destinations = Field(
        examples=["COLLECTOR_CARBON=carbon.example.org:2004"],
        min_length=1,
        description="where points go, several separated by commas; must be set. `host:port` (pickle), "
        "`tcp+plain://`, `tls://`, `tls+plain://`, or a cluster: `ring://host:port:instance;...?replication=1`",
    )
    connect_timeout_s: float = Field(4, gt=0, le=20, description="longest wait for a connection to Carbon")
    write_timeout_s: float = Field(
        8, gt=0, le=20, description="longest wait for a write, and for Carbon's end"
    )
    carbon_ca_file: Path | None = Field(
        None, description="certificates to trust of TLS destinations; unset: the system's"
    )
    carbon_cert_file: Path | None = Field(None, description="client certificate for TLS destinations")
    carbon_key_file: Path | None = Field(None, description="its key")
    spool_max_mb: float = Field(
        256, ge=1, le=1_000_000, description="most disk for what waits for one Carbon"
    )
    spool_max_age_s: float = Field(7 * 86400, ge=60, description="what waits longer is given up")
    replay_points_per_run: int = Field(200_000, ge=1000, description="most waiting points sent in one run")
    graphite_url: Url = Field(
        "", description="what stands before /render of the first destination's store: for proof and `--check`"
    )
    graphite_timeout_s: float = Field(8, gt=0, le=20, description="longest wait for its answer")
    proof: bool = Field(
        True,
        description="read back what was delivered, where the URL is set, and send again what is not there",
    )


class Settings(
    FleetSettings,
    AzureSourceSettings,
    CommandSettings,
    CloudSchedulerSettings,
    CondorSettings,
    HostSettings,
    RunSettings,
    DeliverySettings,
):
    """All of them. Field names are the settings' names without the prefix, in lower case."""


# GRIDNAME and CARBON_SERVER are the first Cloud Monitor's names.
READER = Reader(Settings, PREFIX, {"GRIDNAME": "grid", "CARBON_SERVER": "carbon"})


def read_settings(
    environment: Mapping[str, str] = os.environ, config: Path | None = None, warn: Warn = lambda text: None
) -> Settings:
    """Environment over the TOML file `config`. Raises SettingsRefused; tells `warn` what has no effect."""
    return READER.read(environment, config, warn=warn)
