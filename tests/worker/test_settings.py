"""Settings of the fleet: what is accepted, what is refused and how."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cloud_monitor.settings import SettingsRefused
from cloud_monitor.system.environment_file import find_misread
from worker.settings import PREFIX, Settings, detect_environment, read_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "worker.toml"
    config.write_text('lease_s = 30\nWORKER_ATTEMPTS = 7\nstorage_url = "azure://images/2026"\n')
    monkeypatch.setenv("WORKER_LEASE_S", "90")
    monkeypatch.setenv("WORKER_MAX_CHUNKS", "")  # a blank line of an env file
    settings = read_settings(config=config)
    assert (settings.lease_s, settings.attempts, settings.max_chunks) == (90, 7, None)
    assert settings.result_files_url == "azure://images/2026/cloud-monitor-results"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LEASE_S", "soon", "WORKER_LEASE_S='soon'.*number"),
        ("CHUNK_IMAGES", "0", "WORKER_CHUNK_IMAGES='0'.*greater than or equal to 1"),
        ("MAX_CHUNKS", "101", "WORKER_MAX_CHUNKS='101'.*less than or equal to 100"),
        ("ENVIRONMENT", "moon", "WORKER_ENVIRONMENT='moon'.*'local', 'azure', 'azure_functions' or 'aws'"),
        ("STORAGE_URL", "s3://x", "WORKER_STORAGE_URL='s3://x'.*a folder or azure://CONTAINER/PREFIX"),
        ("DEADLINE_NEAR_S", "1", "WORKER_DEADLINE_URGENT_S=3600: must not exceed WORKER_DEADLINE_NEAR_S, 1"),
        ("MEMORY_DRAIN_PCT", "9", "WORKER_MEMORY_DRAIN_PCT='9'.*at least WORKER_MEMORY_THRESHOLD_PCT, 75"),
    ],
)
def test_a_malformed_value_is_named_with_what_would_be_accepted(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsRefused, match=told):
        read_settings()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_DATABASE_URL", "mysql://user:geheim@host/db")
    with pytest.raises(SettingsRefused, match=r"WORKER_DATABASE_URL=\(hidden\)") as refused:
        read_settings()
    assert "geheim" not in str(refused.value)
    monkeypatch.delenv("WORKER_DATABASE_URL")
    assert "geheim" not in repr(Settings(azure_connection_string=SecretStr("geheim")))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lease = 3", "WORKER_LEASE: there is no such setting"),
        ("lease_s = ", "worker.toml"),
        (None, "worker.toml"),
    ],
)
def test_a_file_that_says_nonsense_is_named(text: str | None, told: str, tmp_path: Path) -> None:
    config = tmp_path / "worker.toml"
    if text is not None:
        config.write_text(text)
    with pytest.raises(SettingsRefused, match=told):
        read_settings(config=config)


def test_azures_own_name_of_the_connection_string_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=x")
    secret = read_settings().azure_connection_string
    assert secret is not None
    assert secret.get_secret_value() == "AccountName=x"


@pytest.mark.parametrize(
    ("environ", "environment", "limit_bytes"),
    [
        ({}, "local", 20_000_000_000),
        ({"WEBSITE_INSTANCE_ID": "x"}, "azure", 8_000_000_000),
        ({"WEBSITE_INSTANCE_ID": "x", "FUNCTIONS_WORKER_RUNTIME": "python"}, "azure_functions", 400_000_000),
    ],
)
def test_the_environment_is_recognised(environ: dict[str, str], environment: Any, limit_bytes: int) -> None:
    assert detect_environment(environ) == environment
    assert Settings(environment=environment).temp_limit_bytes == limit_bytes


@pytest.mark.parametrize("file", sorted((ROOT / "docs/fleet").glob("*.env")), ids=lambda path: path.name)
def test_the_example_settings_are_the_same_in_a_shell_and_for_systemd(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole: a shell would end an unquoted connection string at its first semicolon."""
    told = subprocess.run(
        ["sh", "-c", f"set -a; . {file}; exec env -0"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    ).stdout.decode()
    of_shell = dict(line.split("=", 1) for line in told.split("\0") if line.startswith(PREFIX))
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    of_systemd = {name: text.strip('"') for name, text in (line.split("=", 1) for line in lines)}
    assert of_shell == of_systemd
    assert list(find_misread(file.read_bytes())) == []
    for name, text in of_shell.items():
        monkeypatch.setenv(name, text)
    assert read_settings().environment == file.stem
