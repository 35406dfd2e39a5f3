"""The worker fleet's settings: a group of fields for each of those who use them. Units are in the names."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from cloud_monitor.setting_types import LogLevel, Secret, SettingsGroup, default_state_dir, split_names
from cloud_monitor.settings import Reader, Warn
from cloud_monitor.telemetry.addresses import STANDARD_NAMES
from cloud_monitor.telemetry.settings import TelemetryFields
from worker.answers.confidence import DOUBTFUL_BELOW

PREFIX = "WORKER_"
Environment = Literal["local", "azure", "azure_functions", "aws"]
# Temporary storage there is
TEMP_LIMIT_MB = {"local": 20_000, "azure": 8_000, "azure_functions": 400, "aws": 20_000}
# Chunks that may be active in the whole queue
MAX_CHUNKS = {"local": None, "azure": 35, "azure_functions": 10, "aws": None}
# What version 0.1.0 kept in its default folder, ./state; a `make run` there has no such things in it.
_OLD_STATE, _OLD_KEPT = Path("state"), ("queue.db", "logs", "condor")


def _old_state_dir() -> Path | None:
    return _OLD_STATE if any(os.path.exists(_OLD_STATE / name) for name in _OLD_KEPT) else None


def default_model_dir() -> Path:
    """/var/cache/cloud-monitor/decimer for root, whose fleets share it, and for users without a home; else in
    the user's cache folder.
    """
    if os.geteuid() == 0:
        return Path("/var/cache/cloud-monitor/decimer")
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cloud-monitor/decimer"
    except RuntimeError:  # no HOME, and a user that the system does not know
        return Path("/var/cache/cloud-monitor/decimer")


def detect_environment(environ: Mapping[str, str]) -> Environment:
    """Azure Functions sets WEBSITE_INSTANCE_ID as well, so it is asked for first. Of AWS it is containers
    (ECS, Fargate, Batch) that say what they are.
    """
    if environ.get("FUNCTIONS_WORKER_RUNTIME"):
        return "azure_functions"
    if environ.get("WEBSITE_INSTANCE_ID"):
        return "azure"
    return "aws" if environ.get("AWS_EXECUTION_ENV") else "local"


def _check_database_url(url: str) -> str:
    if url and not re.match(r"(sqlite|postgresql|postgres)(\+\w+)?://", url):
        raise ValueError("expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
    return url


def _check_storage_url(url: str) -> str:
    if "://" in url and not re.match(r"azure://[a-z0-9$][a-z0-9-]{1,62}(/|$)", url):
        raise ValueError("expected a folder or azure://CONTAINER/PREFIX")
    return url


DatabaseUrl = Annotated[str, Secret(), AfterValidator(_check_database_url)]
StorageUrl = Annotated[str, AfterValidator(_check_storage_url)]


def _check_submit_source(url: str) -> str:
    if url.startswith("azure://"):
        return _check_storage_url(url).rstrip("/")
    place = os.path.normpath(url)
    if not place.startswith("/") or place.strip("/") == "":
        raise ValueError(f"{url!r}: expected a folder from / on (not / itself) or azure://CONTAINER/PREFIX")
    return place


SubmitSources = Annotated[
    tuple[Annotated[str, AfterValidator(_check_submit_source)], ...], BeforeValidator(split_names)
]


class StateSettings(SettingsGroup):
    state_dir: Path = Field(
        default_factory=lambda: default_state_dir("worker", _old_state_dir()),
        description="folder of what this host keeps: SQLite file, logs; unset: see above",
    )


class TelemetrySettings(StateSettings, TelemetryFields):
    """What the fleet's processes tell Application Insights or an OTLP receiver (docs/telemetry.md)."""


class QueueSettings(StateSettings):
    """Where the queue is, and what it decides by."""

    database_url: DatabaseUrl = Field(
        "", description="queue: sqlite:///FILE or postgresql://...; unset: queue.db in state_dir"
    )
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
        3_600,
        ge=0,
        validate_default=True,
        description="time before its deadline from which it has priority 3",
    )
    database_patience_s: float = Field(
        30, ge=0, le=600, description="how long an unreachable database is tried again"
    )

    @property
    def queue_url(self) -> str:
        return self.database_url or f"sqlite:///{(self.state_dir / 'queue.db').absolute()}"

    @field_validator("deadline_urgent_s")
    @classmethod
    def _check_deadlines(cls, urgent_s: float, given: ValidationInfo) -> float:
        near_s = given.data.get("deadline_near_s", urgent_s)
        if urgent_s > near_s:
            raise ValueError(f"must not exceed WORKER_DEADLINE_NEAR_S, {near_s:g}")
        return urgent_s


class ImageSettings(SettingsGroup):
    image_max_bytes: int = Field(64_000_000, ge=1_000, description="largest image file that is read")


class AzureSettings(ImageSettings):
    """Azure Blob Storage, of azure:// URLs."""

    azure_connection_string: SecretStr | None = Field(
        None,
        description="account and key of azure:// URLs; AZURE_STORAGE_CONNECTION_STRING is taken too",
    )
    azure_timeout_s: float = Field(
        20, gt=0, le=600, description="longest wait for one answer of Azure Blob Storage"
    )
    azure_retries: int = Field(5, ge=0, le=20, description="retries of one request to Azure Blob Storage")
    azure_patience_s: float = Field(
        60, gt=0, le=3600, description="longest total time of one storage operation"
    )


class StorageSettings(AzureSettings):
    """Where images and results are."""

    storage_url: StorageUrl = Field(
        ".", description="a folder or azure://container/prefix; relative SOURCEs start here"
    )
    results_url: StorageUrl = Field(
        "", description="where result files go; unset: cloud-monitor-results under storage_url"
    )

    @property
    def result_files_url(self) -> str:
        return self.results_url or f"{self.storage_url.rstrip('/')}/cloud-monitor-results"


class TempSettings(SettingsGroup):
    """Temporary storage, for downloaded images."""

    temp_dir: Path = Field(
        default_factory=lambda: Path(os.environ.get("TEMP") or tempfile.gettempdir()),
        description="folder of downloaded images; unset: $TEMP, then the system's",
    )
    environment: Environment = Field(
        default_factory=lambda: detect_environment(os.environ),
        description="local, azure, azure_functions or aws; unset: recognised by the variables they set",
    )
    temp_limit_mb: int | None = Field(
        None,
        ge=1,
        description="temporary storage there is; unset: 20000 local and aws, 8000 azure, 400 azure_functions",
    )

    @property
    def temp_limit_bytes(self) -> int:
        return (self.temp_limit_mb or TEMP_LIMIT_MB[self.environment]) * 1_000_000


class ThumbnailSettings(SettingsGroup):
    thumbnails: bool = Field(
        False, description="keep a small picture of each image beside the result files, for the web page"
    )


class GateSettings(TempSettings, ThumbnailSettings):
    """What admits workers and chunks."""

    chunk_images: int = Field(500, ge=1, le=100_000, description="most images in a chunk")
    max_chunks: int | None = Field(
        None,
        ge=1,
        le=100,
        description="most chunks active in the whole queue; unset: no limit, 35 azure, 10 azure_functions",
    )
    image_mb: float = Field(
        0.5, gt=0, le=1000, description="estimated size of an image, for temporary storage"
    )
    temp_threshold_pct: float = Field(
        80, gt=0, le=100, description="use of temp_limit_mb from which no chunk is claimed"
    )
    cpu_threshold_pct: float = Field(75, gt=0, le=100, description="CPU from which no worker is admitted")
    memory_threshold_pct: float = Field(
        75, gt=0, le=100, description="memory from which no worker is admitted"
    )
    memory_drain_pct: float = Field(
        90, gt=0, le=100, validate_default=True, description="memory from which the youngest worker drains"
    )
    memory_promised_pct: float | None = Field(
        None,
        gt=0,
        le=100,
        description="memory that workers may come to when all have grown; unset: memory_drain_pct",
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
    max_workers: int | None = Field(None, ge=1, description="most workers of this host; unset: none")
    cpus: float | None = Field(
        None, gt=0, description="CPUs allotted to this supervisor (a slot); unset: all"
    )
    memory_mb: int | None = Field(
        None, ge=1, description="memory allotted to this supervisor (a slot); unset: all"
    )

    @property
    def active_chunks_max(self) -> int | None:
        """As set, or as the environment brings it; temporary storage may carry less."""
        return self.max_chunks or MAX_CHUNKS[self.environment]

    @field_validator("memory_drain_pct")
    @classmethod
    def _check_memory(cls, drain_pct: float, given: ValidationInfo) -> float:
        admit_pct = given.data.get("memory_threshold_pct", drain_pct)
        if drain_pct < admit_pct:
            raise ValueError(f"must be at least WORKER_MEMORY_THRESHOLD_PCT, {admit_pct:g}")
        return drain_pct


class ModelSettings(SettingsGroup):
    """DECIMER's weights."""

    model_dir: Path = Field(
        default_factory=default_model_dir,
        description="folder of DECIMER's weights; unset: a cache folder of this user, shared by all fleets",
    )
    model_archive: Path | None = Field(
        None, description="upstream's models.zip or its unpacked folder; unset: fetched by package name"
    )
    hand_drawn: bool = Field(False, description="use upstream's model for hand-drawn structures")
    hand_drawn_archive: Path | None = Field(
        None, description="upstream's DECIMER_HandDrawn_model.zip or its unpacked folder"
    )


class EngineSettings(ModelSettings, ImageSettings, ThumbnailSettings):
    """The recogniser."""

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
    image_max_pixels: int = Field(50_000_000, ge=1_000, description="largest image that is read, in pixels")
    decimer_turn: bool = Field(False, description="turn images as their EXIF orientation says")
    decimer_invert: bool = Field(False, description="invert what is drawn light on dark")
    decimer_stop_repeating: bool = Field(
        False, description="end an answer that repeats a pattern without end, which cannot be right"
    )
    stub_s: float = Field(
        0.01, ge=0, le=600, description="time the stub engine takes for an image (benchmarks only)"
    )


class NeedSettings(EngineSettings):
    """What a worker is reckoned to need."""

    worker_memory_mb: int | None = Field(
        None, ge=1, description="memory a worker is reckoned to need until one was measured; unset: by engine"
    )
    worker_memory_limit_mb: int | None = Field(
        None, ge=1, description="private memory at which a worker leaves in order; unset: twice what it needs"
    )


class ClaimSettings(TempSettings, AzureSettings):
    """What a worker that claims a chunk needs to fetch its images."""


class CommitSettings(QueueSettings):
    """When results are stored."""

    stall_s: float = Field(300, gt=0, description="time without progress after which a worker is ended")
    store_images: int = Field(100, ge=1, le=10_000, description="results after which they are stored")
    store_s: float = Field(5, gt=0, le=600, description="time after which results are stored at the latest")
    upload_s: float = Field(60, gt=0, description="time between two uploads of a chunk's partial results")


class RunnerSettings(
    ClaimSettings, CommitSettings, StorageSettings, GateSettings, NeedSettings, TelemetrySettings
):
    """One worker."""

    ahead_images: int = Field(32, ge=1, le=10_000, description="images downloaded ahead of recognising")
    ahead_threads: int = Field(4, ge=1, le=64, description="downloads at a time, of one worker")
    drain_s: float = Field(
        15, gt=0, le=20, description="time that images being recognised have to end after SIGTERM"
    )


class SupervisorSettings(RunnerSettings):
    """One host and its workers."""

    host_name: str = Field(
        "", pattern=r"^[A-Za-z0-9_.@-]*$", description="name of this host in the queue; unset: the system's"
    )
    warm_up_group: str = Field(
        "host",
        pattern=r"^[A-Za-z0-9_.@-]+$",
        description="supervisors of one name and state_dir warm up one worker at a time; off: each alone",
    )
    doubtful_below: float = Field(
        DOUBTFUL_BELOW,
        ge=0,
        le=1,
        description="least token confidence under which an answer is doubtful; also on the page",
    )
    sample_s: float = Field(1, gt=0, le=60, description="time between two looks at the host and its workers")
    load_s: float = Field(1800, gt=0, description="longest time a worker may take to load its model")
    idle_s: float = Field(300, gt=0, description="time without work after which a worker is let go")
    log_dir: Path | None = Field(None, description="folder of the workers' logs; unset: logs in state_dir")
    log_mb: float = Field(10, gt=0, le=1000, description="size at which a worker's log is rotated")
    log_files: int = Field(3, ge=1, le=100, description="rotated logs kept of each worker")
    scheduled_events_url: str = Field(
        "auto", description="Azure Scheduled Events: auto (on Azure's machines), off, or the URL to poll"
    )
    spot_notice_url: str = Field(
        "auto", description="EC2's spot notices: auto (on EC2's machines), off, or whom to ask in its place"
    )
    price_per_hour: float | None = Field(
        None, gt=0, description="price of one host's hour, for the cost of 1,000 images"
    )
    submit_sources: SubmitSources = Field(
        (),
        description="folders and azure://CONTAINER/PREFIXes below which the page may submit, listed by this "
        "host; unset: nothing",
    )

    @property
    def logs_path(self) -> Path:
        return self.log_dir or self.state_dir / "logs"


class PoolSettings(SettingsGroup):
    """The HTCondor pool of `submit` and `withdraw`."""

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


class MachineSettings(SettingsGroup):
    """The machine manager."""

    machines_config: Path = Field(
        Path("/etc/cloud-monitor/machines.toml"), description="groups, presets and clouds of `machines`"
    )


class Settings(SupervisorSettings, PoolSettings, MachineSettings):
    """All of them. Field names are the settings' names without the prefix, in lower case."""

    keep_days: float = Field(
        30, ge=0, le=36_500, description="age from which `prune` deletes batches, events and decisions"
    )
    log_level: LogLevel = Field("INFO", description="least level that is logged")


_STANDARD = {"AZURE_STORAGE_CONNECTION_STRING": "azure_connection_string"} | STANDARD_NAMES
READER = Reader(Settings, PREFIX, _STANDARD)


def read_settings(
    environment: Mapping[str, str] = os.environ, config: Path | None = None, warn: Warn = lambda text: None
) -> Settings:
    """Environment over the TOML file `config`. Raises SettingsRefused; tells `warn` what has no effect."""
    return READER.read(environment, config, warn=warn)
