"""A wheel of what is tracked, in an environment without the repository: its commands, their children, a plot.

Everything is started in a folder with stray files collector.py, webapp.py and worker.py. The short form links
the packages that are installed here into the environment; the one that downloads them is for `make soak`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect

from cloud_monitor import __version__
from cloud_monitor.program import PARTS
from tests.services.graphite import Graphite, push
from tests.services.made import ROOT, copy_tracked
from tests.services.needs import need
from tests.services.support import free_port, listens, stop_process, wait_until
from tests.worker.fleet import EAGER

pytestmark = pytest.mark.timeout(600)

LOAD = "grids.wheel.sysinfo.load"
EARLIER = [3.0, 1.0, 4.0, 1.0, 5.0]  # of the minutes before


@dataclass(frozen=True, slots=True)
class Started:
    """A program that should not end by itself."""

    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        """What it has said; AssertionError with that where it has ended: nobody waits for it in vain."""
        assert self.process.poll() is None, self.log.read_text()
        return self.log.read_text()

    def listens(self, port: int) -> bool:
        self.output()
        return listens(port)


@dataclass(frozen=True, slots=True)
class Installed:
    """Commands of an environment, and the folder with stray files that they are started in."""

    scripts: Path
    folder: Path

    def environment(self, **variables: object) -> dict[str, str]:
        """What cron or a service would give: nothing of this test's own packages."""
        ours = ("PYTHON", "COLLECTOR_", "WEBAPP_", "WORKER_", "CONDOR_", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return kept | {"PATH": "/usr/bin:/bin"} | {name: str(value) for name, value in variables.items()}

    def run(self, command: str, *arguments: str, **variables: object) -> str:
        ended = subprocess.run(
            [self.scripts / command, *arguments], cwd=self.folder, env=self.environment(**variables),
            capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @contextmanager
    def running(self, command: str, *arguments: str, **variables: object) -> Iterator[Started]:
        """Run it meanwhile."""
        log = self.folder.parent / f"{command}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self.scripts / command, *arguments], cwd=self.folder, env=self.environment(**variables),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            started = Started(process, log)
            yield started
            started.output()
        finally:
            stop_process(process)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("made")
    folder = tmp_path_factory.mktemp("wheel")
    copy_tracked(folder / "clone")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, folder / "clone"]
    subprocess.run(command, check=True, timeout=300)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module", params=["linked", pytest.param("downloaded", marks=pytest.mark.soak)])
def installed(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    folder = tmp_path_factory.mktemp(f"installed-{request.param}")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True, timeout=60)
    python = folder / "env/bin/python"
    pip = [sys.executable, "-m", "pip", "-q", "--python", python, "install", "--no-compile"]
    if request.param == "linked":
        subprocess.run([*pip, "--no-deps", wheel], check=True, timeout=110)
        (packages,) = (folder / "env").glob("lib/python*/site-packages")
        here = next(entry for entry in sys.path if entry.endswith("site-packages"))
        (packages / "here.pth").write_text(
            f"{here}\n"
        )  # its own .pth files, this tree's among them, do not count
    else:
        pins = ["-c", ROOT / "constraints.txt"]
        subprocess.run([*pip, *pins, f"{wheel}[{','.join(PARTS)}]"], check=True, timeout=550)
    (folder / "strays").mkdir()
    for part in PARTS:
        (folder / f"strays/{part}.py").write_text(f"raise SystemExit('the stray {part}.py ran')\n")
    return Installed(python.parent, folder / "strays")


FOR_SETUP = (
    "systemd",
    "cron",
    "apache/cloud_monitor.conf",
    "wsgi/cloud_monitor.wsgi",
)  # what `setup --system` copies


def test_the_wheel_is_whole(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    listing = subprocess.run(
        ["git", "ls-files", *PARTS, "cloud_monitor", *FOR_SETUP], cwd=ROOT, capture_output=True, check=True
    )
    tracked = {name for name in listing.stdout.decode().splitlines() if (ROOT / name).exists()}
    own = {name for name in names if ".dist-info/" not in name}
    assert {name.partition(".data/data/share/cloud-monitor/")[2] or name for name in own} == tracked


def test_the_source_archive_has_all_of_the_wheel_the_documents_and_no_stray_tests(wheel: Path) -> None:
    """setuptools alone takes tests/test_*.py without what they need, and no document but the README."""
    build = "from setuptools import build_meta; print(build_meta.build_sdist('..'))"
    command = [sys.executable, "-c", build]
    built = subprocess.run(
        command, cwd=wheel.parent / "clone", capture_output=True, text=True, timeout=300, check=True
    )
    with tarfile.open(wheel.parent / built.stdout.split()[-1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    in_the_wheel = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {name.partition(".data/data/share/cloud-monitor/")[2] or name for name in in_the_wheel} <= names
    assert {"CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/settings.md", "LICENSE"} <= names
    assert not {name for name in names if name.startswith("tests")}


@pytest.mark.parametrize(
    ("part", "starter"), [("collector", "cron"), ("webapp", "apache"), ("worker", "systemd")]
)
def test_setup_finds_what_it_copies(installed: Installed, part: str, starter: str) -> None:
    said = installed.run(f"cloud-monitor-{part}", "setup", "--system", "--with", starter, "--dry-run")
    assert "/etc/cloud-monitor" in said


def test_apache_finds_the_page_where_setup_says(installed: Installed, tmp_path: Path) -> None:
    """By the file that the site's configuration names, in a Python that knows nothing of the environment."""
    plan = "from cloud_monitor.setup import plan_setup; print(plan_setup('webapp', 'apache')[-1].text)"
    site = installed.run("python", "-P", "-c", plan)
    (home,) = re.findall(r"^Define CLOUD_MONITOR_PATH (.+)$", site, re.MULTILINE)
    (script,) = re.findall(r"^ *WSGIScriptAlias / (.+)$", site, re.MULTILINE)
    script = script.replace("${CLOUD_MONITOR_PATH}", home)
    code = (
        f"import os, runpy; app = runpy.run_path({script!r})['application']; import webapp; "
        "page = app.test_client().get('/'); print(page.status_code, webapp.__file__, flush=True); os._exit(0)"
    )
    settings = {"WEBAPP_STATE_DIR": str(tmp_path), "WEBAPP_GRAPHITE_URL": "http://127.0.0.1:1"}
    base = Path(sys.base_prefix) / "bin/python3"
    ran = subprocess.run(
        [base, "-I", "-c", code], env={"PATH": os.defpath} | settings,
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert ran.stdout.startswith(f"200 {installed.scripts.parent}/lib/"), ran.stderr


@pytest.mark.parametrize("part", PARTS)
def test_every_command_tells_its_version(installed: Installed, part: str) -> None:
    assert installed.run(f"cloud-monitor-{part}", "--version") == f"cloud-monitor-{part} {__version__}\n"
    plain = subprocess.run(
        [installed.scripts / "python", "-m", part], cwd=installed.folder, env=installed.environment(),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert plain.stderr == f"the stray {part}.py ran\n", "the folder is no test of the commands"
    location = "import sys; sys.path.pop(0); import webapp; print(webapp.__file__)"
    assert str(installed.scripts.parent) in installed.run("python", "-c", location)


def test_collector_and_page_draw_a_plot(installed: Installed, graphite: Graphite, page: Page) -> None:
    minute = int(time.time()) // 60 * 60
    for back, value in enumerate(EARLIER, 1):
        push(graphite.carbon, LOAD, value, minute - 60 * back)
    state = installed.folder.parent / "state"
    collector = {"COLLECTOR_GRID": "wheel", "COLLECTOR_CARBON": graphite.carbon, "COLLECTOR_SOURCES": "host"}
    port = free_port()
    webapp = {"WEBAPP_GRAPHITE_URL": graphite.url, "WEBAPP_PORT": port, "WEBAPP_POLL_EVERY_S": 2}
    webapp |= {"WEBAPP_POLL_AFTER_STEP_S": 0.2, "WEBAPP_STATE_DIR": state / "webapp"}
    collector |= {"COLLECTOR_STATE_DIR": str(state / "collector")}
    with (
        installed.running("cloud-monitor-collector", "--every", "2", **collector) as said,
        installed.running("cloud-monitor-webapp", **webapp) as served,
    ):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: served.listens(port), "the page", 60)

        def has_load() -> bool:
            assert "stray" not in said.output()
            return LOAD in requests.get(f"{url}/api/status", timeout=60).json()["values"]

        wait_until(has_load, "the collector's figure", 60)
        page.goto(f"{url}/plot?target={LOAD}&from=-30min")
        expect(page.locator("#plot-chart canvas")).to_be_visible()
        expect(page.locator("#plot-status")).to_have_text(re.compile(r"points$"))
        texts = page.locator("#plot-legend tr").first.locator("td").all_text_contents()
        assert max(EARLIER) <= float(texts[2]), texts
        inked = page.locator("#plot-chart canvas").evaluate(
            "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)"
            ".data.filter((byte, place) => place % 4 === 3 && byte > 0).length"
        )
        assert inked > 1000


def test_a_page_without_its_static_parts_is_not_waited_for(installed: Installed, tmp_path: Path) -> None:
    (found,) = installed.scripts.parent.glob(
        "lib/python*/site-packages/webapp/static/vendor/uPlot.iife.min.js"
    )
    away = found.rename(tmp_path / found.name)
    port = free_port()
    page = installed.running("cloud-monitor-webapp", WEBAPP_PORT=port, WEBAPP_STATE_DIR=tmp_path / "state")
    try:
        with pytest.raises(AssertionError, match=r"uPlot\.iife\.min\.js"), page as served:
            wait_until(lambda: served.listens(port), "a page that refuses to start", 300)
    finally:
        away.rename(found)


def test_a_fleet_recognises_a_batch(installed: Installed) -> None:
    need("fleet")
    state = installed.folder.parent / "fleet"
    pictures = state / "pictures/a"
    pictures.mkdir(parents=True)
    for number in range(4):
        (pictures / f"{number}.png").write_bytes(bytes([number + 1]))
    variables = EAGER | {"WORKER_STATE_DIR": str(state), "WORKER_STORAGE_URL": str(pictures.parent)}
    variables |= {"WORKER_RESULTS_URL": str(state / "results"), "WORKER_TEMP_DIR": str(state / "temp")}
    command = "cloud-monitor-worker"
    installed.run(command, "enqueue", ".", "--name", "batch", **variables)
    installed.run(command, "run", "--until-empty", **variables)
    said = installed.run(command, "results", "--format", "jsonl", **variables)
    rows = [json.loads(line) for line in said.splitlines()]
    assert [(row["image"], row["smiles"]) for row in rows] == [
        (f"a/{number}.png", "C") for number in range(4)
    ]
