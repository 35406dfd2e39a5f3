"""Each part starts and works with the packages of its own extra alone, as on a machine that has one part."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]

# The first argument names what may not be imported: as if it were not installed.
WITHOUT = "import sys; sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(',')))\n"
COLLECT = "from collector.__main__ import main; raise SystemExit(main(['--dry-run']))"
CHECK = "import collector.check, collector.lock"
SERVE = """
from webapp import create_app
from webapp.settings import read_settings
app = create_app(read_settings(), poll=False)
client = app.test_client()
pages = [rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and not rule.arguments]
assert {"/", "/fleet", "/machines", "/metrics", "/api/machines"} <= set(pages)
pages += ["/fleet/batches/b", "/fleet/results/c/0"]
faults = {page: status for page in pages if (status := client.get(page).status_code) >= 500 and status != 503}
assert not faults, faults
"""
ENQUEUE = """
from pathlib import Path
from worker.__main__ import main
Path("pictures").mkdir()
Path("pictures/a.png").write_bytes(b"no picture")
raise SystemExit(main(["enqueue", "pictures", "--name", "b"]))
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def with_what_they_need(names: list[Requirement]) -> set[str]:
    """Names of distributions: these, and those that they depend on."""
    found: set[tuple[str, frozenset[str]]] = set()
    wanted = [(normal(one.name), frozenset(one.extras)) for one in names]
    while wanted:
        name, extras = item = wanted.pop()
        if item in found:
            continue
        found.add(item)
        try:
            texts = importlib.metadata.requires(name) or ()
        except importlib.metadata.PackageNotFoundError:  # of another platform
            continue
        for one in map(Requirement, texts):
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                wanted.append((normal(one.name), frozenset(one.extras)))
    return {name for name, _ in found}


@cache
def absent_modules(part: str) -> set[str]:
    """Modules of all that is installed here and does not come with the part's extra."""
    own = with_what_they_need([Requirement(f"cloud-monitor[{part}]")])
    homes = importlib.metadata.packages_distributions()
    return {
        module for module, names in homes.items() if not {normal(name) for name in names} & own
    } - sys.stdlib_module_names


def run_without(absent: set[str], script: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a script that is given nothing but these settings."""
    settings = {
        "COLLECTOR_GRID": "g", "COLLECTOR_CARBON": "localhost", "COLLECTOR_SOURCES": "host",
        "COLLECTOR_STATE_DIR": str(folder), "WEBAPP_STATE_DIR": str(folder),
        "WORKER_STATE_DIR": str(folder),
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + script, ",".join(absent)],
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(folder), "PYTHONPATH": str(ROOT)} | settings | more,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    ("part", "script"),
    [("collector", COLLECT), ("collector", CHECK), ("webapp", SERVE), ("worker", ENQUEUE)],
)
def test_a_part_works_with_its_own_extra_alone(part: str, script: str, tmp_path: Path) -> None:
    absent = absent_modules(part)
    assert {"pytest", "boto3"} <= absent
    assert ("sqlalchemy" in absent) == (part != "worker")
    done = run_without(absent, script, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["WEBAPP_FLEET_DATABASE_URL", "WEBAPP_WISHES_DATABASE_URL"])
def test_a_page_that_cannot_read_the_queue_it_is_given_does_not_start(name: str, tmp_path: Path) -> None:
    script = SERVE.partition("client")[0]
    done = run_without(absent_modules("webapp"), script, tmp_path, **{name: "sqlite:///queue.db"})
    assert done.returncode == 1
    refusal = f"{name} needs SQLAlchemy: pip install 'cloud-monitor[webapp,fleet]'"
    assert done.stderr.splitlines()[-1].endswith(refusal)
