"""Settings of the worker fleet: `WORKER_*` environment variables over an optional TOML file (`--config`).

Built once in the entry file and passed down; nothing else reads the environment. docs/settings.md lists them
all.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "WORKER_"
Environment = Literal["local", "azure", "azure_functions"]
# Temporary storage there is
TEMP_LIMIT_MB = {"local": 20_000, "azure": 8_000, "azure_functions": 400}


class SettingsRefused(Exception):
    """A setting is malformed or unknown: the message names it, its value and what would be accepted."""


class Settings(BaseSettings):
    """Each field is `WORKER_<NAME>`, or the same in lower case in the TOML file. Units are in the names."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, populate_by_name=True)

    # Where things are
    state_dir: Path = Field(Path("state"), description="folder of what this host keeps: SQLite file, logs")
    database_url: str = Field(
        "", description="queue: sqlite:///FILE or postgresql://...; unset: queue.db in state_dir"
    )
    storage_url: str = Field(
        ".", description="a folder or azure://container/prefix; relative SOURCEs start here"
    )
    results_url: str = Field(
        "", description="where result files go; unset: cloud-monitor-results under storage_url"
    )
    model_dir: Path = Field(
        default_factory=lambda: default_model_dir(),
        description="folder of DECIMER's weights; unset: a cache folder of this user, shared by all fleets",
    )
    log_dir: Path | None = Field(None, description="folder of the workers' logs; unset: logs in state_dir")
    temp_dir: Path = Field(
        default_factory=lambda: Path(os.environ.get("TEMP") or tempfile.gettempdir()),
        description="folder of downloaded images; unset: $TEMP, then the system's",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="least level that is logged"
    )

    # Azure Blob Storage
    azure_connection_string: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("WORKER_AZURE_CONNECTION_STRING", "AZURE_STORAGE_CONNECTION_STRING"),
        description="account and key of azure:// URLs; AZURE_STORAGE_CONNECTION_STRING is taken too",
    )
    azure_timeout_s: float = Field(
        20, gt=0, le=600, description="longest wait for one answer of Azure Blob Storage"
    )
    azure_retries: int = Field(5, ge=0, le=20, description="retries of one request to Azure Blob Storage")
    azure_patience_s: float = Field(
        60, gt=0, le=3600, description="longest total time of one storage operation"
    )

    # Queue
    chunk_images: int = Field(500, ge=1, le=100_000, description="most images in a chunk")
    lease_s: float = Field(60, ge=1, le=3600, description="how long a claim lasts without being renewed")
    attempts: int = Field(
        5, ge=1, le=100, description="faults in a row, without progress, until a chunk is failed"
    )
    backoff_s: float = Field(
        10, ge=0, le=3600, description="wait after a chunk's first fault, doubled by each next"
    )
    backoff_most_s: float = Field(600, ge=0, le=86_400, description="longest wait after a chunk's fault")
    deadline_near_s: float = Field(
        14_400, ge=0, description="time before its deadline from which a chunk has priority 2"
    )
    deadline_urgent_s: float = Field(
        3_600, ge=0, description="time before its deadline from which it has priority 3"
    )
    database_patience_s: float = Field(
        30, ge=0, le=600, description="how long an unreachable database is tried again"
    )

    keep_days: float = Field(
        30, ge=0, le=36_500, description="age from which `prune` deletes batches, events and decisions"
    )

    # Gate
    environment: Environment = Field(
        default_factory=lambda: detect_environment(dict(os.environ)),
        description="local, azure or azure_functions; unset: recognised by the variables Azure sets",
    )
    max_chunks: int | None = Field(
        None, ge=1, le=100, description="most chunks active in the whole queue; unset: none"
    )
    image_mb: float = Field(
        0.5, gt=0, le=1000, description="estimated size of an image, for temporary storage"
    )
    temp_limit_mb: int | None = Field(
        None,
        ge=1,
        description="temporary storage there is; unset: 20000 local, 8000 azure, 400 azure_functions",
    )
    temp_threshold_pct: float = Field(
        80, gt=0, le=100, description="use of temp_limit_mb from which no chunk is claimed"
    )
    cpu_threshold_pct: float = Field(75, gt=0, le=100, description="CPU from which no worker is admitted")
    memory_threshold_pct: float = Field(
        75, gt=0, le=100, description="memory from which no worker is admitted"
    )
    memory_drain_pct: float = Field(
        90, gt=0, le=100, description="memory from which the youngest worker drains"
    )
    average_s: float = Field(5, gt=0, le=300, description="time over which CPU and memory are averaged")
    pressure_cpu_pct: float = Field(
        100, gt=0, le=100, description="CPU pressure (PSI) from which no worker is admitted; 100: any"
    )
    pressure_memory_pct: float = Field(
        20, gt=0, le=100, description="memory pressure (PSI) from which no worker is admitted; 100: any"
    )
    cooldown_s: float = Field(
        60, ge=0, le=3600, description="pause after a worker was drained for memory, doubled by each next"
    )
    failed_start_pause_s: float = Field(
        2,
        ge=0,
        le=3600,
        description="pause after a worker died before its first answer, doubled by each next",
    )
    worker_memory_mb: int | None = Field(
        None, ge=1, description="memory a worker is reckoned to need until one was measured; unset: by engine"
    )
    worker_memory_limit_mb: int | None = Field(
        None, ge=1, description="private memory at which a worker leaves in order; unset: twice what it needs"
    )
    max_workers: int | None = Field(None, ge=1, description="most workers of this host; unset: none")
    cpus: float | None = Field(
        None, gt=0, description="CPUs allotted to this supervisor (a slot); unset: all"
    )
    memory_mb: int | None = Field(
        None, ge=1, description="memory allotted to this supervisor (a slot); unset: all"
    )

    # Supervisor
    host_name: str = Field(
        "", pattern=r"^[A-Za-z0-9_.@-]*$", description="name of this host in the queue; unset: the system's"
    )
    warm_up_group: str = Field(
        "host",
        pattern=r"^[A-Za-z0-9_.@-]+$",
        description="this host's supervisors of one name warm up one worker at a time; off: each alone",
    )
    sample_s: float = Field(1, gt=0, le=60, description="time between two looks at the host and its workers")
    load_s: float = Field(1800, gt=0, description="longest time a worker may take to load its model")
    stall_s: float = Field(300, gt=0, description="time without progress after which a worker is ended")
    idle_s: float = Field(300, gt=0, description="time without work after which a worker is let go")
    log_mb: float = Field(10, gt=0, le=1000, description="size at which a worker's log is rotated")
    log_files: int = Field(3, ge=1, le=100, description="rotated logs kept of each worker")
    scheduled_events_url: str = Field(
        "auto", description="Azure Scheduled Events: auto (on Azure's machines), off, or the URL to poll"
    )
    price_per_hour: float | None = Field(
        None, gt=0, description="price of one host's hour, for the cost of 1,000 images"
    )

    # Runner
    ahead_images: int = Field(32, ge=1, le=10_000, description="images downloaded ahead of recognising")
    ahead_threads: int = Field(4, ge=1, le=64, description="downloads at a time, of one worker")
    store_images: int = Field(100, ge=1, le=10_000, description="results after which they are stored")
    store_s: float = Field(5, gt=0, le=600, description="time after which results are stored at the latest")
    upload_s: float = Field(60, gt=0, description="time between two uploads of a chunk's partial results")
    drain_s: float = Field(
        15, gt=0, le=20, description="time that images being recognised have to end after SIGTERM"
    )

    # HTCondor (submit, withdraw)
    condor_schedd: str = Field("", description="schedd that takes the supervisors' jobs; unset: this host's")
    condor_pool: str = Field(
        "", description="collector daemon (host:port) that knows the schedd; unset: as configured"
    )
    condor_python: str = Field(
        default_factory=lambda: sys.executable,
        description="Python on the pool's machines that has this program; unset: this one's path",
    )
    condor_workers: int = Field(
        1, ge=1, le=1000, description="workers of each job, which its slot must carry"
    )

    # Recogniser
    decimer_engine: Literal["onnx", "upstream", "stub"] = Field(
        "onnx", description="what recognises the images"
    )
    decimer_precision: Literal["full", "fast"] = Field(
        "full", description="full: upstream's tokens; fast: half precision, doubtful images again in full"
    )
    decimer_fast_threshold: float = Field(
        0.6, ge=0, le=1, description="smallest confidence that fast keeps; below it is read again in full"
    )
    decimer_slots: int = Field(
        8, ge=1, le=64, description="images a thread of the recogniser decodes at once"
    )
    decimer_threads: int = Field(
        1, ge=1, le=64, description="threads of a recogniser; its weights are shared"
    )
    model_archive: Path | None = Field(
        None, description="upstream's models.zip or its unpacked folder; unset: fetched by package name"
    )
    hand_drawn: bool = Field(False, description="use upstream's model for hand-drawn structures")
    hand_drawn_archive: Path | None = Field(
        None, description="upstream's DECIMER_HandDrawn_model.zip or its unpacked folder"
    )
    image_max_bytes: int = Field(64_000_000, ge=1_000, description="largest image file that is read")
    image_max_pixels: int = Field(
        50_000_000, ge=1_000, description="largest image: pixels of the square over its longer side"
    )
    stub_s: float = Field(
        0.01, ge=0, le=600, description="time the stub engine takes for an image (benchmarks only)"
    )

    @model_validator(mode="before")
    @classmethod
    def drop_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        """An empty variable means unset, as in an env file whose line was left blank."""
        return {key: value for key, value in values.items() if value != ""}

    @field_validator("database_url")
    @classmethod
    def check_database_url(cls, url: str) -> str:
        if url and not re.match(r"(sqlite|postgresql|postgres)(\+\w+)?://", url):
            raise ValueError("expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
        return url

    @field_validator("storage_url", "results_url")
    @classmethod
    def check_storage_url(cls, url: str) -> str:
        if "://" in url and not re.match(r"azure://[a-z0-9$][a-z0-9-]{1,62}(/|$)", url):
            raise ValueError("expected a folder or azure://CONTAINER/PREFIX")
        return url

    @model_validator(mode="after")
    def check_order(self) -> Self:
        if self.deadline_urgent_s > self.deadline_near_s:
            raise ValueError(
                f"WORKER_DEADLINE_URGENT_S {self.deadline_urgent_s:g} must not exceed "
                f"WORKER_DEADLINE_NEAR_S {self.deadline_near_s:g}"
            )
        if self.memory_drain_pct < self.memory_threshold_pct:
            raise ValueError(
                f"WORKER_MEMORY_DRAIN_PCT {self.memory_drain_pct:g} must be at least "
                f"WORKER_MEMORY_THRESHOLD_PCT {self.memory_threshold_pct:g}"
            )
        return self

    @property
    def queue_url(self) -> str:
        return self.database_url or f"sqlite:///{(self.state_dir / 'queue.db').absolute()}"

    @property
    def result_files_url(self) -> str:
        return self.results_url or f"{self.storage_url.rstrip('/')}/cloud-monitor-results"

    @property
    def logs_path(self) -> Path:
        return self.log_dir or self.state_dir / "logs"

    @property
    def temp_limit_bytes(self) -> int:
        return (self.temp_limit_mb or TEMP_LIMIT_MB[self.environment]) * 1_000_000

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose values come as arguments."""
        return env_settings, init_settings


def default_model_dir() -> Path:
    """/var/cache/cloud-monitor/decimer for root, whose fleets share it; else in the user's cache folder."""
    if os.geteuid() == 0:
        return Path("/var/cache/cloud-monitor/decimer")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cloud-monitor/decimer"


def detect_environment(environ: dict[str, str]) -> Environment:
    """Azure Functions sets WEBSITE_INSTANCE_ID as well, so it is asked for first."""
    if environ.get("FUNCTIONS_WORKER_RUNTIME"):
        return "azure_functions"
    return "azure" if environ.get("WEBSITE_INSTANCE_ID") else "local"


def load_settings(config: Path | None = None) -> Settings:
    """Environment over the TOML file `config`. Raises SettingsRefused."""
    try:
        return Settings(**(read_config(config) if config else {}))
    except ValidationError as error:
        raise SettingsRefused("; ".join(explain(dict(problem)) for problem in error.errors())) from None


def read_config(config: Path) -> dict[str, Any]:
    """Values of the file by field name; keys may be written `lease_s` or `WORKER_LEASE_S`."""
    try:
        values = tomllib.loads(config.read_text())
    except (OSError, ValueError) as error:  # not there, not UTF-8, not TOML
        raise SettingsRefused(f"--config {config}: {error}") from None
    return {key.removeprefix(PREFIX).lower(): value for key, value in values.items()}


def explain(problem: dict[str, Any]) -> str:
    """One line naming the setting, what it was, and what is accepted."""
    if not problem["loc"]:
        return str(problem["msg"]).removeprefix("Value error, ")
    name = str(problem["loc"][0])
    variable = name if name.isupper() else PREFIX + name.upper()
    if problem["type"] == "extra_forbidden":
        return f"{variable}: there is no such setting (docs/settings.md lists them)"
    shown = (
        "(hidden)"
        if "CONNECTION_STRING" in variable or "DATABASE_URL" in variable
        else repr(problem["input"])
    )
    return f"{variable}={shown}: {str(problem['msg']).removeprefix('Value error, ')}"
