"""`config check` of each part: what is set, whence, secrets hidden; what cannot be used is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.disks import fill, small_disk
from tests.services.needs import need
from tests.services.programs import run_program
from tests.services.support import PATIENCE_S

ROOT = Path(__file__).parents[2]
NAME_IT = "name the pool's condor_config, as `condor_config_val -config` shows it"
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
    given, text, field, value = GIVEN[part]
    environment = given | {f"{part.upper()}_STATE_DIR": str(tmp_path / "state")}
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
    assert done.returncode == 2
    assert set(done.stderr.splitlines()) == {
        f"refused: {setting}={closed}/file: Permission denied",
        f"refused: {state}={closed}: Permission denied: this user must be able to write there, and its disk "
        "not be full",
    }
    assert "settings are well" not in done.stdout


def given_to(part: str, state_dir: Path, **further: object) -> dict[str, str]:
    """The environment of a part; the collector asks nobody, and the worker recognises nothing."""
    given = {
        "COLLECTOR_GRID": "g",
        "COLLECTOR_CARBON": "127.0.0.1:1",
        "COLLECTOR_CONNECT_TIMEOUT_S": "0.1",
        "COLLECTOR_SOURCES": "host",
        "WORKER_DECIMER_ENGINE": "stub",
        "WORKER_RESULTS_URL": str(state_dir),
        "WORKER_SCHEDULED_EVENTS_URL": "off",
        "WORKER_SPOT_NOTICE_URL": "off",
        "WORKER_DATABASE_PATIENCE_S": "0",
    }
    prefix = part.upper()
    return (
        {name: value for name, value in given.items() if name.startswith(prefix)}
        | {f"{prefix}_{name}": str(value) for name, value in further.items()}
        | {f"{prefix}_STATE_DIR": str(state_dir)}
    )


@pytest.mark.parametrize("part", ["collector", "worker"])
def test_a_state_folder_that_all_may_write_is_refused_as_by_a_run(part: str, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    environment = given_to(part, tmp_path / "state")
    done = check(part, environment, "config", "check")
    assert done.returncode == 2
    told = done.stderr.removeprefix("refused: ")
    assert told.startswith(f"{part.upper()}_STATE_DIR={tmp_path}/state: every user")
    assert told.endswith(f"chmod o-w {tmp_path}/state\n")
    run = ["run", "--until-empty"] if part == "worker" else []
    assert told in check(part, environment, *run).stderr
    assert json.loads(check(part, environment, "config", "check", "--json").stdout)["refused"] == [
        told.strip()
    ]


@pytest.mark.parametrize("part", GIVEN)
def test_a_full_disk_and_a_folder_that_cannot_be_made_are_refused(part: str, tmp_path: Path) -> None:
    state = f"{part.upper()}_STATE_DIR"
    must = "this user must be able to write there, and its disk not be full"
    (tmp_path / "file").touch()
    done = check(part, given_to(part, tmp_path / "file/state"), "config", "check")
    assert (done.returncode, done.stderr) == (
        2,
        f"refused: {state}={tmp_path}/file/state: Not a directory: {must}\n",
    )
    new = tmp_path / "above/state"
    done = check(part, given_to(part, new), "config", "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]  # and nothing was made
    with small_disk(tmp_path / "disk", 262_144) as disk:
        (disk / "state").mkdir(0o700)
        fill(disk)
        done = check(part, given_to(part, disk / "state"), "config", "check")
        told = f"refused: {state}={disk}/state: No space left on device: {must}\n"
        assert (done.returncode, done.stderr) == (2, told)
        assert list((disk / "state").iterdir()) == []


def test_files_that_are_named_and_are_not_what_a_run_needs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    environment = given_to(
        "collector",
        tmp_path / "state",
        CONDOR_CONFIG=tmp_path,
        SOURCES="host,condor,cloudscheduler",
        CLOUDSCHEDULER_URL="https://c.example.org",
        CLOUDSCHEDULER_CREDENTIALS_FILE=tmp_path / "empty",
        INVENTORY_URL="http://127.0.0.1:1",
        INVENTORY_TOKEN_FILE=tmp_path / "empty",
        CARBON_CA_FILE=tmp_path / "nowhere",
    )
    done = check("collector", environment, "config", "check")
    assert done.returncode == 2
    told = done.stderr.splitlines()
    assert sorted(told) == sorted(
        f"refused: COLLECTOR_{text}"
        for text in (
            f"CONDOR_CONFIG={tmp_path}: Is a directory: {NAME_IT}",
            f"CLOUDSCHEDULER_CREDENTIALS_FILE={tmp_path}/empty: its first line is not user:password",
            f"INVENTORY_TOKEN_FILE={tmp_path}/empty: its first line is not a secret of visible ASCII "
            "characters",
            f"CARBON_CA_FILE={tmp_path}/nowhere: No such file or directory",
        )
    )
    run = check("collector", environment).stderr
    assert all(line.removeprefix("refused: ") in run for line in told if "CARBON" not in line)


def test_files_without_tokens_or_certificates_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    done = check("webapp", given_to("webapp", tmp_path / "state", TOKEN_FILE=empty), "config", "check")
    assert (done.returncode, done.stderr) == (2, "refused: WEBAPP_TOKEN_FILE is empty\n")
    given = {"CARBON_CA_FILE": empty, "CARBON": "tls://127.0.0.1:1"}
    done = check("collector", given_to("collector", tmp_path / "state", **given), "config", "check")
    assert done.returncode == 2
    assert done.stderr.startswith(f"refused: COLLECTOR_CARBON_*_FILE ({empty}): ")
    plain = given_to("collector", tmp_path / "state", CARBON_CA_FILE=empty)
    assert check("collector", plain, "config", "check").returncode == 0


def test_the_shells_condor_config_is_looked_at_too(tmp_path: Path) -> None:
    environment = given_to("collector", tmp_path, SOURCES="auto") | {"CONDOR_CONFIG": str(tmp_path / "no")}
    done = check("collector", environment, "config", "check")
    told = f"refused: CONDOR_CONFIG={tmp_path}/no: No such file or directory: {NAME_IT}\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_alerts_are_looked_at_with_the_settings_that_name_them(tmp_path: Path) -> None:
    environment = given_to("webapp", tmp_path / "state", ALERTS_FILE=tmp_path / "alerts.toml")
    done = check("webapp", environment, "config", "check")
    assert done.returncode == 2
    assert done.stderr == f"refused: WEBAPP_ALERTS_FILE={tmp_path}/alerts.toml: No such file or directory\n"
    (tmp_path / "alerts.toml").write_text("base = 1\n")
    assert check("webapp", environment, "config", "check").returncode == 2
    (tmp_path / "alerts.toml").write_text("")
    assert check("webapp", environment, "config", "check").returncode == 0
