"""The programs' names and version, and that a child is this program whatever lies where it is started."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cloud_monitor import __version__
from cloud_monitor.program import PARTS, commit_of, part_command, running_version, version_text

ROOT = Path(__file__).resolve().parents[2]
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


@pytest.mark.parametrize("part", PARTS)
def test_every_program_tells_its_version_without_any_setting(part: str) -> None:
    command = [sys.executable, "-m", part, "--version"]
    ended = subprocess.run(
        command, cwd=ROOT, env={}, capture_output=True, text=True, timeout=300, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"cloud-monitor-{part} {__version__}\n", "")


def test_the_commit_of_a_checkout_is_read_without_git(tmp_path: Path) -> None:
    def git(*arguments: str, folder: str = "repo") -> str:
        options = ["-C", str(tmp_path / folder), "-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", *options, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    repo, tree = tmp_path / "repo", tmp_path / "tree"
    repo.mkdir()
    git("init", "-b", "main")
    assert commit_of(repo) == ""  # there is none yet
    for number in range(2):
        git("commit", "--allow-empty", "-m", f"{number}")
    assert commit_of(repo) == git("rev-parse", "HEAD")
    git("branch", "not-main", "HEAD~")
    git("pack-refs", "--all")
    assert commit_of(repo) == git("rev-parse", "HEAD")
    git("worktree", "add", str(tree), "not-main")
    assert commit_of(tree) == git("rev-parse", "HEAD~")
    git("checkout", "--detach", folder="tree")
    assert commit_of(tree) == git("rev-parse", "HEAD~")
    assert commit_of(tmp_path) == ""
    assert re.fullmatch(rf"{re.escape(__version__)}(\+g[0-9a-f]{{7}})?", running_version())


def test_the_version_has_one_source_and_the_changelog_is_in_its_order() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "cloud_monitor.__version__"}
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    dated = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in headings[1:]]
    assert headings[0] == "[Unreleased]"
    versions = [tuple(map(int, one[1].split("."))) for one in dated if one]
    assert len(versions) == len(dated), headings
    assert versions == sorted(versions, reverse=True)
    assert versions[0] <= tuple(int(number) for number in __version__.split("."))


@pytest.mark.parametrize("part", PARTS)
def test_a_child_is_this_program_where_a_stray_file_has_its_name(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{part}.py").write_text("print('stray')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [*part_command(part), "--version"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.stdout == version_text(part) + "\n", ended.stderr


def test_a_checkout_that_is_not_installed_starts_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    command = [*part_command("collector"), "--version"]
    # Without site-packages only the working directory can be where it is found.
    bare = [command[0], "-S", *command[1:]]
    ended = subprocess.run(bare, env={}, capture_output=True, text=True, timeout=300, check=False)
    assert ended.stdout == version_text("collector") + "\n", ended.stderr


def test_a_library_that_is_missing_is_named_with_the_extra_that_brings_it(tmp_path: Path) -> None:
    script = tmp_path / "cloud-monitor-worker"
    script.write_text("from cloud_monitor.program import worker\nworker()\n")
    command = [sys.executable, "-S", str(script), "--version"]
    variables = {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 1
    assert ended.stderr == (
        "cloud-monitor-worker: click is not installed: pip install 'cloud-monitor[worker]'\n"
    )


@pytest.mark.parametrize("part", PARTS)
def test_help_and_advice_name_the_program_as_it_was_called(part: str, tmp_path: Path) -> None:
    script = tmp_path / f"cloud-monitor-{part}"  # as pip writes it
    script.write_text(f"from cloud_monitor.program import {part}\n{part}()\n")
    command = [sys.executable, str(script), "--help"]
    ended = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=False
    )
    assert f"sage: cloud-monitor-{part} " in ended.stdout, ended.stderr
    assert "python -m" not in ended.stdout
    for file in (ROOT / part).rglob("*.py"):
        tree = ast.parse(file.read_text())
        prose = {
            ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, _DOCUMENTED)
        }
        told = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        assert not [text for text in told if f"python -m {part}" in str(text) and text not in prose], file
    for template in (ROOT / "webapp" / "templates").iterdir():
        assert f"python -m {part}" not in template.read_text(), template
