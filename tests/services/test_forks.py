"""A run in forks: every test once and in one of them, what they say told as ever, and no loss in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.services.forks import LONG_FILES
from tests.services.made import ROOT

TESTS = """
import os
import warnings
import pytest

PARENT = os.getpid()

@pytest.mark.parametrize("number", range(25))
def test_many(number, tmp_path, tmp_path_factory):
    assert os.getppid() == PARENT
    with open(os.environ["TOLD"], "a") as told:
        print(number, os.getpid(), tmp_path_factory.getbasetemp(), file=told)
    assert list(tmp_path.iterdir()) == []

def test_one_fails():
    print("it said this")
    warnings.warn("and was warned")
    assert 1 == 2

@pytest.fixture
def broken():
    yield
    raise OSError("at the end")

def test_one_ends_badly(broken):
    pass

def test_one_is_skipped():
    pytest.skip("for a reason")
"""
DIES = """
import os
import signal

def test_one_dies():
    os.kill(os.getpid(), signal.SIGKILL)

def test_what_comes_after_it():
    pass
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "tests.services.forks", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "-c", os.devnull, "--rootdir", ".", "--basetemp", "temp", *options],
        cwd=folder,
        env=os.environ | {"TOLD": str(folder / "told"), "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_is_run_once_and_what_it_says_is_told(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    ended = run(tmp_path, "--forks", "2", "-ra")
    assert ended.returncode == 1
    assert "it said this" in ended.stdout
    assert "and was warned" in ended.stdout
    assert "SKIPPED [1] " in ended.stdout
    assert "ERROR test_it.py::test_one_ends_badly - OSError: at the end" in ended.stdout
    assert "1 failed, 26 passed, 1 skipped, 1 warning, 1 error" in ended.stdout, ended.stdout
    told = [line.split() for line in (tmp_path / "told").read_text().splitlines()]
    assert sorted(int(number) for number, *_ in told) == list(range(25))
    assert len({process for _, process, _ in told}) == len({folder for *_, folder in told}) <= 2


def test_a_fork_that_dies_fails_its_test_and_the_run_tells_what_was_left(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(DIES)
    ended = run(tmp_path, "--forks", "2")
    assert ended.returncode == 1
    assert "FAILED test_it.py::test_one_dies - the process that ran this test ended with -9" in ended.stdout
    assert "1 tests of 2 were run" in ended.stdout, ended.stdout


def test_the_first_failure_ends_a_run_that_is_to_end_by_it(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_one():\n    assert 0\n")
    (tmp_path / "test_other.py").write_text("import time\n\ndef test_other():\n    time.sleep(1000)\n")
    ended = run(tmp_path, "--forks", "2", "-x")
    assert "1 failed in" in ended.stdout, ended.stdout


def test_every_file_that_is_to_begin_first_is_there() -> None:
    assert [file for file in LONG_FILES if not (ROOT / file).is_file()] == []
