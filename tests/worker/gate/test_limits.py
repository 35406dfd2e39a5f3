"""Local, Azure, Azure Functions: how they are recognised, what limits they bring, and the example files."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path, PurePosixPath

import pytest
import yaml

from tests.worker.fleet import ROOT
from worker.gate.admission import admit_chunk
from worker.gate.limits import gate_limits, limit_figures
from worker.gate.model import Reason, TempUse
from worker.settings import Settings, detect_environment

MB = 1_000_000
EXAMPLES = ROOT / "docs/fleet"


def read_example(name: str) -> dict[str, str]:
    return read_values((EXAMPLES / f"{name}.env").read_text())


def read_values(text: str) -> dict[str, str]:
    """As a shell or systemd reads them: quotes around a value are none of it."""
    pairs = (line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {key.removeprefix("WORKER_").lower(): "".join(shlex.split(value)) for key, value in pairs}


@pytest.mark.parametrize(
    ("environ", "environment"),
    [
        ({}, "local"),
        ({"WEBSITE_INSTANCE_ID": "abc"}, "azure"),
        ({"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"}, "aws"),
        ({"FUNCTIONS_WORKER_RUNTIME": "python"}, "azure_functions"),
        ({"WEBSITE_INSTANCE_ID": "abc", "FUNCTIONS_WORKER_RUNTIME": "python"}, "azure_functions"),
    ],
)
def test_recognised_by_the_platforms_own_variables(environ: dict[str, str], environment: str) -> None:
    assert detect_environment(environ) == environment


@pytest.mark.parametrize(
    ("environment", "limit_mb", "maximum", "effective"),
    [
        ("local", 20_000, None, None),
        ("azure", 8_000, 35, 32),
        ("azure_functions", 400, 10, 1),
        ("aws", 20_000, None, None),
    ],
)
def test_each_brings_its_temporary_storage_and_its_maximum(
    environment: str, limit_mb: int, maximum: int | None, effective: int | None
) -> None:
    settings = Settings.model_validate({"environment": environment})
    assert settings.temp_limit_bytes == limit_mb * MB
    assert settings.active_chunks_max == maximum
    assert gate_limits(settings).max_active_chunks == effective
    small = Settings.model_validate({"environment": environment, "chunk_images": 10})
    assert gate_limits(small).max_active_chunks == maximum
    assert limit_figures(gate_limits(small)) == ({} if maximum is None else {"max_active_chunks": maximum})
    own = Settings.model_validate({"environment": environment, "max_chunks": 7, "chunk_images": 10})
    assert gate_limits(own).max_active_chunks == 7


@pytest.mark.parametrize(("environment", "maximum"), [("local", 35), ("azure", 32), ("azure_functions", 1)])
def test_the_example_files_are_accepted_and_give_the_maximum_they_promise(
    environment: str, maximum: int
) -> None:
    settings = Settings.model_validate(read_example(environment))
    assert settings.environment == environment
    assert gate_limits(settings).max_active_chunks == maximum
    assert settings.temp_limit_bytes == Settings.model_validate({"environment": environment}).temp_limit_bytes


def test_the_last_chunk_that_fits_azure_functions_is_the_first() -> None:
    limits = gate_limits(Settings.model_validate(read_example("azure_functions")))
    assert admit_chunk(TempUse(0, 400 * MB), 0, limits).admitted
    assert admit_chunk(TempUse(250 * MB, 400 * MB), 0, limits).reason is Reason.TEMP_LEFT
    assert admit_chunk(TempUse(321 * MB, 400 * MB), 0, limits).reason is Reason.TEMP_USED
    assert admit_chunk(TempUse(0, 400 * MB), 1, limits).reason is Reason.ACTIVE_CHUNKS
    too_large = gate_limits(Settings.model_validate(read_example("azure_functions") | {"chunk_images": 1000}))
    assert too_large.max_active_chunks == 0
    assert admit_chunk(TempUse(0, 400 * MB), 0, too_large).reason is Reason.TEMP_LEFT


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.env")} == {"local", "azure", "azure_functions"}


def test_the_service_may_write_where_the_example_says() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(ROOT / "systemd/cloud-monitor-worker.service")
    assert unit["Service"]["ProtectHome"] == "yes"
    sealed = {"full": ["/usr", "/boot", "/efi", "/etc"], "strict": ["/"]}[unit["Service"]["ProtectSystem"]]
    example = read_example("local")
    for name in ("results_url", "state_dir", "model_dir"):
        place = PurePosixPath(example[name])
        assert not any(place.is_relative_to(folder) for folder in [*sealed, "/home", "/root", "/run/user"])


def test_the_user_data_make_a_machine_that_works_and_that_one_can_enter() -> None:
    data = yaml.safe_load((EXAMPLES / "cloud-init.yaml").read_text())
    default, own = data["users"]
    assert (default, own["name"]) == ("default", "cloud-monitor")
    [file] = data["write_files"]
    assert file["permissions"] == "0600"
    assert Settings.model_validate(read_values(file["content"])).queue_url.startswith("postgresql://")
    said = "\n".join(data["runcmd"])
    copied = [word for word in said.split() if word.startswith("/opt/cloud-monitor/systemd/")]
    assert [Path(word.replace("/opt/cloud-monitor", str(ROOT))).is_file() for word in copied] == [True]
