"""`config check` of each part: what is set, whence, secrets hidden; what cannot be used is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.needs import need
from tests.services.programs import run_program
from tests.services.support import PATIENCE_S

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


@pytest.mark.parametrize("part", GIVEN)
def test_files_and_folders_that_this_user_cannot_use_are_told(part: str, tmp_path: Path) -> None:
    """By a root without the right to pass over modes: any other user may not run this Python."""
    if os.geteuid() != 0:
        pytest.skip("gives a folder to another user")
    need("root")
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    os.chown(closed, 65534, 65534)
    setting = {
        "collector": "COLLECTOR_INVENTORY_TOKEN_FILE",
        "webapp": "WEBAPP_TOKEN_FILE",
        "worker": "WORKER_MODEL_ARCHIVE",
    }[part]
    state = f"{part.upper()}_STATE_DIR"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(part.upper())}
    given = {
        "COLLECTOR_GRID": "g",
        "COLLECTOR_CARBON": "c",
        setting: str(closed / "file"),
        state: str(closed),
    }
    without, program = "-dac_override,-dac_read_search", [sys.executable, "-m", part]
    done = subprocess.run(
        ["setpriv", f"--inh-caps={without}", f"--bounding-set={without}", *program, "config", "check"],
        env=kept | given,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stderr.splitlines() == [
        f"warning: {setting}={closed}/file cannot be read by this user: Permission denied",
        f"warning: {state}={closed} cannot be written by this user",
    ]


def test_alerts_are_looked_at_with_the_settings_that_name_them(tmp_path: Path) -> None:
    environment = {"WEBAPP_ALERTS_FILE": str(tmp_path / "alerts.toml")}
    done = check("webapp", environment, "config", "check")
    assert done.returncode == 2
    assert done.stderr == f"refused: WEBAPP_ALERTS_FILE={tmp_path}/alerts.toml: No such file or directory\n"
    (tmp_path / "alerts.toml").write_text("base = 1\n")
    assert check("webapp", environment, "config", "check").returncode == 2
    (tmp_path / "alerts.toml").write_text("")
    assert check("webapp", environment, "config", "check").returncode == 0
