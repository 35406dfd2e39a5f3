"""The collector's settings: COLLECTOR_ variables of the environment over an optional TOML file.

pydantic alone, not pydantic-settings: a run every minute pays for its imports, and the latter's cost a fifth
of a second and ten megabytes each time.
"""

from __future__ import annotations

import os
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from cloud_monitor.metrics.paths import build_path, clean
from cloud_monitor.settings import split_assignments, split_names
from collector.delivery.destinations import Destination, parse_destinations
from collector.inventory_settings import InventorySettings
from collector.sources.htcondor.settings import CondorSettings, Names

PREFIX = "COLLECTOR_"
ANCESTORS = {"GRIDNAME": "grid", "CARBON_SERVER": "carbon"}  # the first Cloud Monitor's names


class SettingsRefused(ValueError):
    """One line for each setting that cannot be used: its name, its value, and what would be accepted."""


def _destinations(value: object) -> object:
    if isinstance(value, str):
        return parse_destinations(value)
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return parse_destinations(",".join(value))
    return value


def _default_state_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/cloud-monitor/collector")
    return Path("~/.local/state/cloud-monitor/collector").expanduser()


Clean = Annotated[str, Field(min_length=1), AfterValidator(clean)]


class Command(BaseModel):
    """One program of the operator, started without a shell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str = Field(min_length=1)
    timeout_s: float | None = Field(default=None, gt=0, le=40)


def _command(value: object) -> object:
    return {"run": value} if isinstance(value, str) else value


def _clean_names(commands: dict[str, Command]) -> dict[str, Command]:
    return {clean(name): command for name, command in commands.items()}


Commands = Annotated[
    dict[str, Annotated[Command, BeforeValidator(_command)]],
    BeforeValidator(split_assignments),
    AfterValidator(_clean_names),
]


Destinations = Annotated[tuple[Destination, ...], BeforeValidator(_destinations)]
Sources = Annotated[
    tuple[Literal["auto", "host", "condor", "cloudscheduler", "commands", "fleet"], ...],
    BeforeValidator(split_names),
]
Url = Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$")]


class Settings(InventorySettings, CondorSettings):
    """Field names are the settings' names without the prefix, in lower case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grid: Clean = Field(description="name of the grid, the first name of its paths; must be set")
    carbon: Destinations = Field(
        min_length=1,
        description="where points go, several separated by commas; must be set. `host:port` (pickle), "
        "`tcp+plain://`, `tls://`, `tls+plain://`, or a cluster: `ring://host:port:instance;...?replication=1`",
    )
    state_dir: Annotated[Path, AfterValidator(Path.expanduser)] = Field(
        default_factory=_default_state_dir,
        description="what waits to be delivered, and what the next run must know; unset: "
        "/var/lib/cloud-monitor/collector, or ~/.local/state/cloud-monitor/collector of a user",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="least level that is logged"
    )

    owner: bool = Field(
        True, description="false on further scheduler hosts of a grid: they write only their own tree"
    )
    host: Clean = Field(
        default_factory=socket.gethostname,
        validate_default=True,
        description="this host's name; unset: its own",
    )

    sources: Sources = Field(
        ("auto",),
        min_length=1,
        description="host, condor, cloudscheduler, commands, fleet; `auto`: each that is configured here",
    )
    source_timeout_s: float = Field(25, ge=1, le=40, description="longest time of one source")
    run_timeout_s: float = Field(45, ge=5, lt=50, description="longest time of a whole run")

    host_scope: Literal["container", "machine"] = Field(
        "container", description="`machine` looks past the limits of the collector's own service or container"
    )
    host_disks: Names = Field((), description="mount points to watch; unset: `/` and every local one")

    cloud_status_command: str = Field(
        "", description="Cloud Scheduler 1: its command, for example `cloud_status -aj`"
    )
    cloudscheduler_url: Url = Field("", description="Cloud Scheduler 2: the address before /cloud/status/")
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

    commands: Commands = Field(
        default_factory=dict,
        description="programs that print `path value` lines: `name = command`, separated by `;`; in a file "
        "also `name = {run = ..., timeout_s = ...}`",
    )
    command_timeout_s: float = Field(10, gt=0, le=40, description="longest time of one of them")

    fleet_database_url: str = Field("", description="queue of the worker fleet; unset: no fleet source")
    fleet_names_max: int = Field(
        200, ge=0, le=10_000, description="most worker hosts by name; the rest are summed as `other`"
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

    @property
    def has_inventory(self) -> bool:
        """Whether single VMs and jobs are listed for the status page, by one host of the grid."""
        return bool(self.inventory_url) and self.owner

    @property
    def lists_jobs(self) -> bool:
        return self.has_inventory and self.inventory_jobs_max > 0

    def own_path(self, key: str, **names: str) -> str:
        """A path of this collector or host: the grid's own, or under `hosts` for a further scheduler host."""
        if self.owner:
            return build_path(key, grid=self.grid, **names)
        return build_path(f"host_{key}", grid=self.grid, host=self.host, **names)


def read_settings(environment: Mapping[str, str], config: Path | None = None) -> Settings:
    """Build the settings, or raise SettingsRefused naming everything that is wrong at once."""
    given: dict[str, Any] = {} if config is None else _read_config(config)
    given |= {field: environment[name] for name, field in ANCESTORS.items() if environment.get(name)}
    known = Settings.model_fields
    given |= {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and value != ""
    }
    unknown = [PREFIX + name.upper() for name in given if name not in known]
    if unknown:
        raise SettingsRefused(
            "\n".join(f"{name}: there is no such setting (docs/settings.md lists them)" for name in unknown)
        )
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsRefused("\n".join(dict.fromkeys(_refusals(error)))) from None


def _read_config(config: Path) -> dict[str, Any]:
    """A TOML file with the settings' names, with or without the prefix, in any case."""
    try:
        with config.open("rb") as file:
            rows = tomllib.load(file)
    except OSError as error:
        raise SettingsRefused(f"--config {config}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsRefused(f"--config {config}: not TOML: {error}") from None
    return {name.upper().removeprefix(PREFIX).lower(): value for name, value in rows.items()}


def _refusals(error: ValidationError) -> list[str]:
    lines = []
    for fault in error.errors(include_url=False):
        field, *rest = (str(part) for part in fault["loc"]) if fault["loc"] else ("settings",)
        name = ".".join([PREFIX + field.upper(), *rest])
        if fault["type"] == "missing":
            lines.append(f"{name}: is not set; {_WANTED.get(field, 'it is required')}")
            continue
        shown = "(secret)" if "password" in field else repr(fault["input"])[:200]
        lines.append(f"{name}={shown}: {fault['msg'].removeprefix('Value error, ')}")
    return lines


_BOTH = "COLLECTOR_GRID and COLLECTOR_CARBON must both be set"
_WANTED = {
    "grid": f"the grid's name, for example COLLECTOR_GRID=atlas (GRIDNAME is taken too); {_BOTH}",
    "carbon": "where points go, for example COLLECTOR_CARBON=carbon.example.org:2004 "
    f"(CARBON_SERVER is taken too); {_BOTH}",
    "inventory_token_file": "COLLECTOR_INVENTORY_URL asks for it: a file with the page's secret",
}
