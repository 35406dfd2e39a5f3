"""Every setting of the web app: `WEBAPP_*` in the environment, over an optional TOML file of the same names.

Built once in the entry file and passed down; nothing else reads the environment. Plain pydantic, since
pydantic-settings costs each process 6 MB.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from webapp.model.columns import DEFAULT_COLUMNS, check_columns
from webapp.model.health import HealthRules
from webapp.model.links import open_names
from webapp.model.thresholds import complete_thresholds

Seconds = Annotated[float, Field(gt=0, le=366 * 86400)]
PREFIX = "WEBAPP_"


class SettingsRefused(ValueError):
    """A setting is malformed: the message names it, its value, and what would be accepted."""


class Link(BaseModel):
    """A link to another tool, in every page's header, or on those whose names its address leaves open."""

    name: str = Field(min_length=1, max_length=80)
    url: str = Field(pattern=r"^(https?://|/)[^\s<>\"']*$", max_length=2000)

    @property
    def is_general(self) -> bool:
        return not open_names(self.url)


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    # where the figures come from
    graphite_url: str = Field(
        "http://127.0.0.1:8080",
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        description="Graphite, or VictoriaMetrics: what stands before /render",
    )
    graphite_timeout_s: float = Field(10, gt=0, le=120, description="longest wait for one answer of Graphite")
    state_dir: Path = Field(
        Path("state/webapp"), description="folder that all processes share: snapshot, events, counters"
    )

    # serving by `python -m webapp`
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(5000, ge=1, le=65535, description="port to listen on")
    threads: int = Field(8, ge=1, le=128, description="requests answered at once")
    trusted_proxies: int = Field(
        0, ge=0, le=5, description="reverse proxies in front whose X-Forwarded headers are believed"
    )
    log_level: str = Field(
        "INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR"
    )

    # the one poll of the deployment
    poll_every_s: float = Field(60, ge=1, le=3600, description="from one poll to the next")
    poll_after_step_s: float = Field(
        20, ge=0, le=3600, description="how long past each step, for collectors to have sent"
    )
    poll_timeout_s: float = Field(40, gt=0, le=600, description="longest time for a whole poll")
    poll_window_s: float = Field(300, ge=60, le=86400, description="how far back a poll looks for points")

    # how old is too old
    stale_after_s: Seconds = Field(180, description="age from which a value is stale")
    forget_after_s: Seconds = Field(
        3600, description="a series is forgotten when its source has gone on without it for so long"
    )
    forget_grid_after_s: Seconds = Field(30 * 86400, description="a silent grid is forgotten after so long")
    health_max_age_s: Seconds = Field(300, description="age of the snapshot from which /health answers 503")

    # what is shown, and how it is called
    title: str = Field("Cloud Monitor", min_length=1, max_length=80, description="name of the page")
    links: tuple[Link, ...] = Field(
        (),
        description="links to other tools: a list of {name, url}; "
        "with {grid}, {cloud}, {host} or {job} in the url, on such a page",
    )
    grids_first: tuple[str, ...] = Field((), description="grids in this order, before the others by name")
    hidden_grids: frozenset[str] = Field(frozenset(), description="grids that are not shown nor summed")
    grid_names: dict[str, str] = Field({}, description="names to show for grids")
    heartbeat_names: dict[str, str] = Field(
        {"cloud_monitor": "Monitor", "cloud_scheduler": "CS", "condor": "HTCondor", "fleet": "Fleet"},
        description="names to show for heartbeats",
    )
    columns: tuple[str, ...] = Field(
        DEFAULT_COLUMNS, description="of the table of clouds: states of VMs, `others`, `slots`, ..."
    )
    thresholds: dict[str, tuple[float, float]] = Field(
        {}, description="from where on a figure is a warning, and bad: a table of name = [warning, bad]"
    )
    refresh_every_s: float = Field(60, ge=1, le=3600, description="how often an open page refreshes")

    # plots and exports
    series_max: int = Field(50, ge=1, le=1000, description="most traces of a plot or export")
    points_max: int = Field(5000, ge=10, le=100_000, description="most points of a trace")
    range_max_days: int = Field(3660, ge=1, le=36600, description="longest range of a plot or export")
    events_max: int = Field(1000, ge=10, le=100_000, description="events that are kept")

    # single VMs and jobs
    inventory_token_file: Path | None = Field(
        None, description="file whose first line the collectors share; unset: no lists of VMs and jobs"
    )
    inventory_keep_gone_s: Seconds = Field(
        3600, description="how long a VM or job that is gone is still listed"
    )

    fleet_database_url: str | None = Field(
        None,
        description="queue database of the worker fleet, read only; unset: /fleet shows what Graphite knows",
    )

    @property
    def inventory_folder(self) -> Path:
        return self.state_dir / "inventory"

    @property
    def health_rules(self) -> HealthRules:
        return HealthRules(complete_thresholds(self.thresholds), self.grid_names, self.heartbeat_names)

    @field_validator("graphite_url")
    @classmethod
    def _without_trailing_slash(cls, url: str) -> str:
        return url.rstrip("/")

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return check_columns(names)

    @field_validator("thresholds")
    @classmethod
    def _known_thresholds(cls, given: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        complete_thresholds(given)
        return given


def read_settings(
    config: Path | None = None, environment: Mapping[str, str] = os.environ, **given: Any
) -> Settings:
    """Read the settings; `given` wins over the environment, the environment over the TOML file.

    Names in the file are those of the environment, with or without the prefix, in either case. Raises
    SettingsRefused naming every malformed setting.
    """
    try:
        return Settings(**{**_from_file(config), **_from_environment(environment), **given})
    except ValidationError as error:
        raise SettingsRefused(_explain(error)) from None


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The variables of settings that there are. An empty one counts as unset; lists and tables are JSON."""
    found: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        variable = f"{PREFIX}{name.upper()}"
        text = environment.get(variable, "")
        if not text:
            continue
        found[name] = text
        if isinstance(field.default, tuple | frozenset | dict):
            try:
                found[name] = json.loads(text)
            except ValueError:
                raise SettingsRefused(
                    f"{variable}={text!r} refused: a list or table is written as JSON, such as '[\"a\"]'"
                ) from None
    return found


def _from_file(config: Path | None) -> dict[str, Any]:
    if config is None:
        return {}
    try:
        raw = tomllib.loads(config.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsRefused(f"settings file {config}: {error}") from None
    return {key.lower().removeprefix(PREFIX.lower()): value for key, value in raw.items()}


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        name = PREFIX + str(problem["loc"][0]).upper()
        place = "".join(f"[{part!r}]" for part in problem["loc"][1:])
        lines.append(f"{name}{place}={problem['input']!r} refused: {problem['msg']}")
    return "\n".join(lines)
