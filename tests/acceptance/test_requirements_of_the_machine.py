"""What a machine lacks is named, with what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.install import NoPython
from tools.profiles import PROFILES, UnknownProfile, choose_profile

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder to be the whole PATH: a shell and dirname."""
    for name in ("sh", "dirname"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    return tmp_path


def require(what: str, path: Path, **variables: str) -> str:
    """What tools/require said as it refused."""
    environment = {"PATH": str(path), "HOME": str(path)} | variables
    command = ["sh", str(ROOT / "tools/require"), what]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    return ended.stderr


def fake_python(folder: Path, script: str) -> str:
    """An interpreter that is not like ours: `script` answers in its stead."""
    program = folder / "other-python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_missing_node(bare: Path) -> None:
    assert "node is missing" in (said := require("node", bare))
    assert "apt-get install nodejs npm" in said


def test_missing_npm(bare: Path) -> None:
    (bare / "node").symlink_to(bare / "sh")
    assert "npm is missing" in require("node", bare)


def test_missing_python(bare: Path) -> None:
    assert "apt-get install python3 python3-venv" in require("python", bare)


def test_python_too_old(bare: Path) -> None:
    python = fake_python(bare, 'case "$1" in -V) echo Python 3.9.2 ;; *) exit 1 ;; esac')
    assert "is Python 3.9.2, but 3.11 or later is needed" in require("python", bare, PYTHON=python)


def test_python_without_venv(bare: Path) -> None:
    python = fake_python(bare, 'case "$2" in *ensurepip*) exit 1 ;; esac')
    assert "lacks its venv module. Install it: apt-get install python3-venv" in require(
        "python", bare, PYTHON=python
    )


def test_python_that_graphite_does_not_build_on(bare: Path) -> None:
    python = fake_python(bare, "echo 3.13 /usr/bin/python3.13")
    environment = os.environ | {"EMBEDDED_PYTHON": python, "CLOUD_MONITOR_TOOLS_DIR": str(bare)}
    command = ["python3", "-m", "embedded.install"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert f"{python} is 3.13" in ended.stderr
    assert "EMBEDDED_PYTHON=/path/to/python3.11 make run" in ended.stderr


def test_where_graphite_cannot_be_victoriametrics_takes_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    def find_none() -> None:
        raise NoPython("/usr/bin/python3 is 3.13")

    profile = choose_profile({}, find_none)
    assert (profile.procfile, profile.further) == ("Procfile.edge", ("fleet",))
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "(/usr/bin/python3 is 3.13): VictoriaMetrics takes its place" in said
    assert choose_profile({"PROFILE": "default"}, find_none) is PROFILES["default"]  # refused by its set-up
    with pytest.raises(NoPython, match="or name one: EMBEDDED_PYTHON="):
        choose_profile({"EMBEDDED_PYTHON": "/usr/bin/python3"}, find_none)
    assert choose_profile({}, lambda: None) is PROFILES["default"]
    with pytest.raises(UnknownProfile, match="PROFILE=tiny refused"):
        choose_profile({"PROFILE": "tiny"})


@pytest.mark.parametrize(("code", "is_taken"), [(3, True), (1, False)])
def test_the_store_is_victoriametrics_where_graphite_has_no_python(
    code: int, is_taken: bool, bare: Path
) -> None:
    """Not where its installation failed in another way."""
    python = fake_python(bare, f"exit {code}")
    store = bare / "victoria-metrics"
    store.write_text("#!/bin/sh\necho '  -search.graphiteStorageStep duration'\n")
    store.chmod(0o755)
    environment = os.environ | {"PYTHON": python, "VICTORIAMETRICS": str(store), "PROFILE": ""}
    ended = subprocess.run(
        [ROOT / "tools/install-store"], env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == ((0, f"{store}\n") if is_taken else (code, ""))


def test_the_installer_says_where_there_is_no_python_for_graphite(bare: Path) -> None:
    """By its exit code, so that another store is taken; with advice where Graphite was asked for by name."""
    program = (
        "import runpy, shutil; shutil.which = lambda name: None; "
        "runpy.run_module('embedded.install', run_name='__main__')"
    )
    environment = {"PATH": str(bare), "CLOUD_MONITOR_TOOLS_DIR": str(bare)}
    for profile, code in (("", 3), ("default", 1)):
        ended = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment | {"PROFILE": profile},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == code, ended.stderr
        assert ("EMBEDDED_PYTHON=/path/to/python3.11" in ended.stderr) == (code == 1)
