"""Shell scripts and the containers' build file, read by the checkers that others would read them by."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.support import absent

ROOT = Path(__file__).resolve().parents[1]
# Routes begin under `bash -e`, and with a file that lies elsewhere when they run.
OF_ROUTES = ["--shell=bash", "--exclude=SC1091,SC2164"]


def checker(name: str) -> str:
    """Of requirements-dev.txt, or installed otherwise."""
    if path := shutil.which(name, path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin"):
        return path
    absent(f"{name} is not installed (requirements-dev.txt)")


def scripts() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    tracked = [ROOT / name for name in listing.decode().split("\0") if name and (ROOT / name).is_file()]
    return [path for path in tracked if re.match(rb"#!.*\b(ba)?sh\b", path.read_bytes()[:80])]


def check(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_scripts_have_no_warning() -> None:
    found = scripts()
    assert {"clean", "install-apt", "run"} <= {path.name for path in found}
    check(checker("shellcheck"), "--severity=warning", *found)


def test_the_routes_have_no_warning() -> None:
    found = sorted((ROOT / "tests/routes").glob("*.sh"))
    assert len(found) > 5
    check(checker("shellcheck"), "--severity=warning", *OF_ROUTES, *found)


def test_a_warning_is_told(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("#!/bin/sh\ncd /srv\nunused=1\n")
    with pytest.raises(AssertionError, match="SC2034"):
        check(checker("shellcheck"), "--severity=warning", wrong)


def test_the_containers_build_file_has_no_finding() -> None:
    check(checker("hadolint"), ROOT / "containers/Containerfile")
