"""The static parts: all that pages ask for is there, whole, and a start without it is refused by name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.needs import need
from tests.services.support import absent, free_port
from webapp.serving.assets import FOLDER, NEEDED, TEMPLATES, modules

ROOT = FOLDER.parent.parent
VENDORED = {
    "LICENSE": "uplot/LICENSE",
    "uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
    "uPlot.min.css": "uplot/dist/uPlot.min.css",
    "openchemlib.LICENSE": "openchemlib/LICENSE",
    "openchemlib.js": "openchemlib/dist/openchemlib.js",
}


def test_what_templates_name_is_what_a_start_insists_on() -> None:
    named = {
        name
        for template in TEMPLATES.rglob("*.html")
        for _, name in re.findall(r"""asset_url\((["'])([^"']*\.\w+)\1\)""", template.read_text())
    }
    assert named | imported_by_workers() == set(NEEDED)


def imported_by_workers() -> set[str]:
    """Modules of other folders, which nothing else asks for."""
    scripts = (path.read_text() for path in (FOLDER / "workers").iterdir())
    return {name for text in scripts for name in re.findall(r"""from ["']\.\./([\w./]+)["']""", text)}


def test_every_script_that_is_imported_is_there() -> None:
    for script in (FOLDER / "js").glob("*.js"):
        for name in re.findall(r"""(?:from|import)\s*\(?["']\./([\w.]+)["']""", script.read_text()):
            assert (script.parent / name).is_file(), f"{script.name} imports {name}"


def imported_by(name: str) -> set[str]:
    return set(re.findall(r"""from ["']\./(\w+\.js)["']""", (FOLDER / "js" / name).read_text()))


def test_the_modules_named_are_those_that_the_script_imports() -> None:
    reached, waiting = set(), ["main.js"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += imported_by(name)
    assert modules()[0] == "main.js"
    assert sorted(modules()) == sorted(reached)


def test_what_is_vendored_is_the_pinned_packages() -> None:
    need("npm")
    packages = ROOT / "node_modules"
    for name in {source.partition("/")[0] for source in VENDORED.values()}:
        if not (packages / name).is_dir():
            absent(f"{name} is not installed (npm ci, with node from apt install nodejs npm)")
    vendored = {
        path.name: path.read_bytes() for path in (FOLDER / "vendor").iterdir() if path.name != "ready"
    }
    assert vendored == {name: (packages / source).read_bytes() for name, source in VENDORED.items()}


@pytest.mark.parametrize("lost", ["vendor/openchemlib.js", "js/main.js"])
def test_a_start_without_its_static_parts_is_refused_by_name(tmp_path: Path, lost: str) -> None:
    for package in ("cloud_monitor", "webapp"):
        shutil.copytree(ROOT / package, tmp_path / package)
    (tmp_path / "webapp/static" / lost).unlink()
    ended = subprocess.run(
        [sys.executable, "-m", "webapp"],
        cwd=tmp_path,
        env=os.environ | {"WEBAPP_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 3
    assert ended.stderr.strip() == (
        f"{lost} missing in {tmp_path}/webapp/static: the page would be broken; install Cloud Monitor anew, "
        "from a whole wheel or checkout"
    )
    assert not (tmp_path / "state").exists()
