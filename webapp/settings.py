"""The web app's settings: a group of fields for each of those who use them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from cloud_monitor.setting_types import (
    LogLevel,
    Names,
    Secret,
    SettingsGroup,
    Table,
    default_state_dir,
    split_assignments,
    split_names,
)
from cloud_monitor.settings import Reader, Warn
from cloud_monitor.telemetry.addresses import STANDARD_NAMES
from cloud_monitor.telemetry.settings import TelemetryFields
from webapp.model.health import HealthRules
from webapp.model.options import DEFAULT_COLUMNS, check_columns, complete_thresholds, open_names

PREFIX = "WEBAPP_"
FORWARDED = ("for", "proto", "host", "port", "prefix")  # X-Forwarded-...
CONFIG = Path("/etc/cloud-monitor/webapp.toml")  # of the page where a server or unit starts it
_OLD_STATE = Path("state/webapp")  # the default folder of version 0.1.0

Seconds = Annotated[float, Field(gt=0, le=366 * 86400)]


class Link(BaseModel):
    """A link to another tool, in every page's header, or on those whose names its address leaves open."""

    name: str = Field(min_length=1, max_length=80)
    url: str = Field(pattern=r"^(https?://|/)[^\s<>\"']*$", max_length=2000)

    @property
    def is_general(self) -> bool:
        return not open_names(self.url)


def _links(value: object) -> object:
    """A list of {name, url}, also written as a table of addresses by name."""
    if isinstance(value, str):
        value = split_names(value) if value.lstrip().startswith("[") else split_assignments(value)
    if isinstance(value, dict):
        return [{"name": name, "url": url} for name, url in value.items()]
    return value


Links = Annotated[tuple[Link, ...], BeforeValidator(_links)]
NameSet = Annotated[frozenset[str], BeforeValidator(split_names)]
Pair = Annotated[tuple[float, float], BeforeValidator(split_names)]
Thresholds = Annotated[dict[str, Pair], BeforeValidator(split_assignments)]


class SharedSettings(SettingsGroup):
    state_dir: Path = Field(
        default_factory=lambda: default_state_dir(
            "webapp", _OLD_STATE if os.path.isdir(_OLD_STATE) else None
        ),
        description="folder that all processes share: snapshot, events, counters; unset: see above",
    )

    @property
    def inventory_folder(self) -> Path:
        return self.state_dir / "inventory"


class HealthSettings(SettingsGroup):
    """What is wrong, and how it is called."""

    grid_names: Table = Field({}, description="names to show for grids: `grid = name`, separated by `;`")
    heartbeat_names: Table = Field(
        {
            "cloud_monitor": "Monitor",
            "cloud_scheduler": "CS",
            "condor": "HTCondor",
            "fleet": "Fleet",
            "azure": "Azure",
        },
        description="names to show for heartbeats, as for grids",
    )
    thresholds: Thresholds = Field(
        {},
        description="from where on a figure is a warning, and bad: `name = warning, bad`, separated by `;`",
    )

    @property
    def health_rules(self) -> HealthRules:
        return HealthRules(complete_thresholds(self.thresholds), self.grid_names, self.heartbeat_names)

    @field_validator("thresholds")
    @classmethod
    def _known_thresholds(cls, given: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        complete_thresholds(given)
        return given


class AnnotationSettings(SharedSettings):
    """What is kept of what has happened, and who else is told."""

    annotations_keep_s: Annotated[float, Field(gt=0, le=3660 * 86400)] = Field(
        400 * 86400, description="how long annotations are kept"
    )
    annotations_max: int = Field(
        20_000, ge=100, le=1_000_000, description="annotations of each kind that are kept"
    )
    graphite_events_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        examples=["http://graphite.example.org:8080"],
        description="Graphite that annotations are mirrored to for Grafana: what stands before /events "
        "(VictoriaMetrics has none); unset: they are not",
    )


class ReviewSettings(SharedSettings):
    """What people say of the fleet's answers."""

    reviews_max: int = Field(1_000_000, ge=100, le=10_000_000, description="reviews of answers that are kept")


class PollSettings(AnnotationSettings, HealthSettings):
    """Where the figures come from, the one poll of the deployment, and how old is too old."""

    graphite_url: str = Field(
        "http://127.0.0.1:8080",
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        examples=["http://graphite.example.org:8080"],
        description="Graphite, or VictoriaMetrics: what stands before /render",
    )
    graphite_timeout_s: float = Field(10, gt=0, le=120, description="longest wait for one answer of Graphite")
    poll_every_s: float = Field(60, ge=1, le=3600, description="from one poll to the next")
    poll_after_step_s: float = Field(
        20, ge=0, le=3600, description="how long past each step, for collectors to have sent"
    )
    poll_timeout_s: float = Field(40, gt=0, le=600, description="longest time for a whole poll")
    poll_window_s: float = Field(300, ge=60, le=86400, description="how far back a poll looks for points")
    stale_after_s: Seconds = Field(180, description="age from which a value is stale")
    forget_after_s: Seconds = Field(
        3600, description="a series is forgotten when its source has gone on without it for so long"
    )
    forget_grid_after_s: Seconds = Field(30 * 86400, description="a silent grid is forgotten after so long")
    health_max_age_s: Seconds = Field(300, description="age of the snapshot from which /health answers 503")
    events_max: int = Field(1000, ge=10, le=100_000, description="events that are kept")

    @field_validator("graphite_url")
    @classmethod
    def _without_trailing_slash(cls, url: str) -> str:
        return url.rstrip("/")


class AlertSettingsGroup(SharedSettings, HealthSettings):
    """Who is told of what is wrong."""

    alerts_file: Path | None = Field(
        None,
        description="rules, channels and windows of alerts as TOML (docs/alerts.md); unset: nothing is sent",
    )


class PageTelemetrySettings(SharedSettings, TelemetryFields):
    """What the page tells Application Insights or an OTLP receiver of its requests (docs/telemetry.md)."""


class ServeSettings(SettingsGroup):
    """Serving by `python -m webapp`."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(5000, ge=1, le=65535, description="port to listen on")
    threads: int = Field(8, ge=1, le=128, description="requests answered at once")
    trusted_proxies: int = Field(
        0, ge=0, le=5, description="reverse proxies in front whose X-Forwarded headers are believed"
    )
    trusted_headers: Names = Field(
        ("for", "proto"),
        description="which of them the proxies set themselves, whatever a visitor sent: "
        "`for`, `proto`, `host`, `port`, `prefix`",
    )
    log_level: LogLevel = Field("INFO", description="least level that is logged")

    @field_validator("trusted_headers")
    @classmethod
    def _known_headers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in names if name not in FORWARDED]:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(FORWARDED)}")
        return names


class ShowSettings(HealthSettings):
    """What is shown, and how it is called."""

    title: str = Field("Cloud Monitor", min_length=1, max_length=80, description="name of the page")
    links: Links = Field(
        (),
        description="links to other tools: `name = url`, separated by `;`, or a list of {name, url}; "
        "with {grid}, {cloud}, {host} or {job} in the url, on such a page",
    )
    grids_first: Names = Field(
        (), description="grids in this order, separated by commas, before the others by name"
    )
    hidden_grids: NameSet = Field(frozenset(), description="grids that are not shown nor summed")
    columns: Names = Field(
        DEFAULT_COLUMNS, description="of the table of clouds: states of VMs, `others`, `slots`, ..."
    )
    refresh_every_s: float = Field(60, ge=1, le=3600, description="how often an open page refreshes")
    prometheus_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#@<>\"']+(/[^\s?#<>\"']*)?$",
        examples=["http://prometheus.example.org:9090"],
        description="Prometheus or VictoriaMetrics that scrapes the page, as a browser and the page's host "
        "reach it: /queries has ready links into it; unset: there is no such page",
    )

    @field_validator("prometheus_url")
    @classmethod
    def _without_last_slash(cls, url: str | None) -> str | None:
        return url and url.rstrip("/")

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return check_columns(names)


class PlotSettings(SettingsGroup):
    """The bounds of plots and exports."""

    series_max: int = Field(
        50, ge=1, le=1000, description="most traces of a plot or export; pages plot 20 at the most"
    )
    points_max: int = Field(5000, ge=10, le=100_000, description="most points of a trace")
    stored_points_max: int = Field(
        10_000_000,
        ge=10_000,
        le=10_000_000_000,
        description="most stored points that a plot or export may have the store read",
    )
    range_max_days: int = Field(3660, ge=1, le=36600, description="longest range of a plot or export")


class ListSettings(SettingsGroup):
    """Single VMs and jobs, and the worker fleet's queue."""

    inventory_token_file: Path | None = Field(
        None,
        description="file of lines `GRID TOKEN`, `*` for any grid, or of one token that the collectors "
        "share; unset: no lists of VMs and jobs",
    )
    inventory_keep_gone_s: Seconds = Field(
        3600, description="how long a VM or job that is gone is still listed"
    )
    fleet_database_url: Annotated[str | None, Secret()] = Field(
        None,
        description="queue database of the worker fleet, read only; unset: /fleet shows what Graphite knows, "
        "/machines nothing",
    )
    fleet_pictures: str | None = Field(
        None,
        pattern=r"^(/[^\x00-\x1f\x7f]*|azure://[a-z0-9$][a-z0-9-]{1,62}(/[^\x00-\x1f\x7f]*)?)$",
        examples=["/srv/fleet/cloud-monitor-results"],
        description="place of the worker fleet's result files (WORKER_RESULTS_URL), a folder or "
        "azure://CONTAINER/PREFIX, out of which thumbnails are shown to whoever sees the page; "
        "unset: none are",
    )
    fleet_pictures_connection_string: Annotated[str | None, Secret()] = Field(
        None,
        validate_default=True,
        description="account and key of an azure:// fleet_pictures, or a SAS that may only read there",
    )
    wishes_database_url: Annotated[str | None, Secret()] = Field(
        None,
        description="the same, by a role that may only insert wishes and events; unset: machines and batches "
        "cannot be changed from the page",
    )

    @field_validator("fleet_pictures_connection_string")
    @classmethod
    def _check_pictures(cls, word: str | None, given: ValidationInfo) -> str | None:
        if not word and (given.data.get("fleet_pictures") or "").startswith("azure://"):
            raise ValueError("is needed for WEBAPP_FLEET_PICTURES=azure://...")
        return word


class ChangeSettings(SettingsGroup):
    """Who may change something on the page or by its API."""

    token_file: Path | None = Field(
        None,
        description="file of lines `NAME TOKEN` of those who may change something (acknowledge, "
        "silence, ...); unset: no token counts",
    )
    remote_users: NameSet = Field(
        frozenset(),
        description="who may change something by the login of the web server in front (its `REMOTE_USER`): "
        "names by commas, `*` for whoever has logged in; unset: no login counts",
    )
    azure_secret_file: Path | None = Field(
        None,
        description="file of secrets, a line each, one of which Azure's webhooks bring in their address "
        "(`/api/alerts/azure?secret=...`); unset: no alerts of Azure are taken",
    )


class Settings(
    ChangeSettings,
    ListSettings,
    ReviewSettings,
    PlotSettings,
    ShowSettings,
    ServeSettings,
    PageTelemetrySettings,
    AlertSettingsGroup,
    PollSettings,
):
    """All of them. Field names are the settings' names without the prefix, in lower case."""


READER = Reader(Settings, PREFIX, STANDARD_NAMES)


def read_settings(
    environment: Mapping[str, str] = os.environ,
    config: Path | None = None,
    warn: Warn = lambda text: None,
    **given: Any,
) -> Settings:
    """`given` over the environment, that over the TOML file `config`. Raises SettingsRefused; tells `warn`
    what has no effect.
    """
    return READER.read(environment, config, given, warn)
