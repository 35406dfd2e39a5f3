"""`config check` of each part: what is set, whence, secrets hidden; what cannot be used is refused."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.services.programs import run_program

ROOT = Path(__file__).parents[2]
GIVEN = {
    "collector": (
        {"COLLECTOR_GRID": "atlas"},
        'carbon = "c:2004"\ncondor_users_key = "k"\n',
        "CARBON",
        "c:2004",
    ),
    "webapp": ({"WEBAPP_FLEET_DATABASE_URL": "postgresql://u:SECRET@h/d"}, "port = 7\n", "PORT", "7"),
    "worker": ({"WORKER_AZURE_CONNECTION_STRING": "SECRET"}, "lease_s = 30\n", "LEASE_S", "30"),
}


def check(part: str, environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(part.upper())}
    return run_program(part, *options, environment=kept | environment)


@pytest.mark.parametrize("part", GIVEN)
def test_what_is_set_is_shown_with_its_origin_and_without_secrets(part: str, tmp_path: Path) -> None:
    environment, text, field, value = GIVEN[part]
    file = tmp_path / "part.toml"
    file.write_text(text)
    done = check(part, environment, "--config", str(file), "config", "check")
    assert done.returncode == 0, done.stderr
    assert f"{part.upper()}_{field} = {value}  ({file})" in done.stdout.splitlines()
    assert "(environment)" in done.stdout
    assert "SECRET" not in done.stdout + done.stderr
    told = json.loads(check(part, environment, "--config", str(file), "config", "check", "--json").stdout)
    assert {"setting": f"{part.upper()}_{field}", "value": value, "from": str(file)} in told["settings"]
    file.write_text(f"{text}nonsense_of_mine = 1\n")
    done = check(part, environment, "--config", str(file), "config", "check")
    assert done.returncode == 2
    assert f"{part.upper()}_NONSENSE_OF_MINE: there is no such setting" in done.stderr
    assert done.stdout == ""
