"""Makes the pictures in docs/screenshots/ from the running program: `python -m tools.screenshots [FOLDER]`.

A real HTCondor pool with jobs, and VMs of two clouds that a cloud_status knows, is read by the collector; two
more grids with a day of history are written as collectors would; and a worker reads the tests' drawings with
the real engine. Needs what the browser tests need.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import scene
from tests.browser.deployment import Deployment, run_deployment
from tests.services.chromium import EXECUTABLE
from tests.services.condor import CondorPool, condor_prefix
from tests.services.support import stop_process, wait_until
from worker.queue import open_queue

ROOT = Path(__file__).parents[1]
GRID = "dipole"
VMS = {"east": ("large", 8, 6), "west": ("medium", 4, 3)}  # cloud -> VM type, cores, VMs
PAGES = {
    "status": "/",
    "grid": "/grids/belle",
    "cloud": "/grids/belle/clouds/cern",
    "host": "/grids/belle/hosts/belle",
    "vms": "/grids/belle/vms",
    "vm": "/grids/belle/vms/belle-large-040.victoria.example",
    "jobs": "/grids/belle/jobs",
    "job": "/grids/belle/jobs/71001.0",
    "held": "/held",
    "waiting": "/waiting",
    "users": "/users",
    "plot": "/plot?target=grids.belle.jobs.all.running&target=grids.belle.clouds.*.vms.*.running"
    "&target=grids.atlas.sysinfo.cpu&from=-6h&until=now",
    "alerts": "/alerts",
}
DRAWINGS = ROOT / "tests/data/decimer/drawings"
BATCHES = {"drawings": ("--priority", "3", "--deadline", "2h"), "again": ("--deadline", "1d"), "later": ()}
READ_BEFORE = 15  # images, before the fleet is taken
DESKTOP, PHONE, WALL = (1440, 900), (390, 844), (1920, 1080)
DAY_S = 86400
SCREENS_MAX = 2.5  # of a long page


def vm_names(cloud: str) -> list[str]:
    return [f"vm{number}.{cloud}.example" for number in range(1, VMS[cloud][2] + 1)]


def cloud_status() -> dict[str, object]:
    """What `cloud_status -aj` prints of these clouds: one VM in error, one that boots, one unregistered."""
    return {
        "resources": [
            {
                "name": cloud, "enabled": True, "max_slots": count * 2,
                "vms": [
                    {"vmtype": vmtype, "hostname": name, "status": "Running", "override_status": None}
                    for name in vm_names(cloud)
                ]
                + [
                    {"vmtype": vmtype, "hostname": f"{status.lower()}.{cloud}.example", "status": status}
                    for status in (("Error", "Starting") if cloud == "east" else ("Running",))
                ],
            }
            for cloud, (vmtype, _, count) in VMS.items()
        ]
    }  # fmt: skip


@contextmanager
def run_pool() -> Iterator[CondorPool]:
    """A pool with jobs of three users, and the slots of VMs of two clouds."""
    with CondorPool(condor_prefix()) as pool:
        for user, queue, more in (("alice", 14, {}), ("bob", 9, {}), ("carol", 3, {"hold": "true"})):
            pool.submit(user, queue=queue, **more)
        pool.advertise_slots(
            {
                "Name": f"slot1_{slot}@{name}", "Machine": name, "CloudProvider": cloud,
                "CloudVMType": VMS[cloud][0], "SlotType": "Dynamic",
                "State": "Claimed", "Activity": "Busy", "DynamicSlot": True,
            }
            for cloud, (_, cores, _) in VMS.items()
            for place, name in enumerate(vm_names(cloud))
            for slot in range(1, cores + 1 - place % 3)
        )  # fmt: skip
        yield pool


def collect(pool: CondorPool, deployment: Deployment, folder: Path) -> None:
    """One run of the real collector over the pool."""
    status = folder / "cloud_status.json"
    status.write_text(json.dumps(cloud_status()))
    settings = {
        "COLLECTOR_GRID": GRID,
        "COLLECTOR_CARBON": deployment.graphite.carbon,
        "COLLECTOR_STATE_DIR": str(folder / "collector"),
        "COLLECTOR_CLOUD_STATUS_COMMAND": f"/bin/cat {status}",
    }
    subprocess.run([sys.executable, "-m", "collector"], env=pool.env() | settings, cwd=ROOT, check=False)


@contextmanager
def run_fleet(fleet: dict[str, str]) -> Iterator[None]:
    """A supervisor with one worker in the midst of three batches."""
    environment = os.environ | fleet
    for name, options in BATCHES.items():
        command = [sys.executable, "-m", "worker", "enqueue", str(DRAWINGS), "--name", name, *options]
        subprocess.run(command, env=environment, cwd=ROOT, check=True)
    supervisor = subprocess.Popen([sys.executable, "-m", "worker", "run"], env=environment, cwd=ROOT)
    queue = open_queue(fleet["WORKER_DATABASE_URL"])
    try:
        wait_until(
            lambda: sum(count for _, count in queue.result_counts()) >= READ_BEFORE,
            "the fleet's first answers",
            timeout_s=120,
        )
        yield
    finally:
        queue.close()
        stop_process(supervisor)


def open_page(browser: Browser, url: str, size: tuple[int, int], look: str) -> Page:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if look == "dark" else "light",
        device_scale_factor=2 if size == PHONE else 1,
        timezone_id="UTC",
        locale="en-GB",
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("html[data-ready]", state="attached")
    return page


def save(page: Page, folder: Path, name: str, *, full: bool = True) -> None:
    """A picture of the page at rest, in few colours: it is flat, and is kept in the repository."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)
    # What is out of sight is drawn when it comes into sight: it would be empty in a picture of all.
    page.evaluate(
        "() => document.querySelectorAll('.grid').forEach(one => one.style.contentVisibility = 'visible')"
    )
    file = folder / f"{name}.png"
    page.screenshot(path=file, full_page=full)
    with Image.open(file) as picture:
        assert page.viewport_size
        scale = picture.width / page.viewport_size["width"]
        height = min(picture.height, round(page.viewport_size["height"] * scale * SCREENS_MAX))
        picture.crop((0, 0, picture.width, height)).convert("RGB").quantize(
            256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        ).save(file, optimize=True)
    page.context.close()
    print(f"{file}  {file.stat().st_size // 1024} KB")


def save_looks(browser: Browser, url: str, folder: Path, name: str) -> None:
    for look, size in (("light", DESKTOP), ("dark", DESKTOP), ("phone", PHONE)):
        save(open_page(browser, url, size, look), folder, f"{name}-{look}")


def save_all(browser: Browser, url: str, folder: Path, keep_up: Callable[[], None]) -> None:
    for name, path in PAGES.items():
        keep_up()
        save_looks(browser, url + path, folder, name)
    keep_up()
    save(open_page(browser, f"{url}/?wall=1", WALL, "dark"), folder, "status-wall", full=False)
    page = open_page(browser, url, (1440, 1120), "light")
    page.locator('#grid-atlas tbody[data-cloud="cern"] tr[data-t="mcore"] td').nth(4).click()
    page.locator('#grid-atlas table:has(caption:text-is("Jobs")) tr[data-t="all"] td').nth(2).click()
    page.locator("#plot-quick").select_option("-6h|now")
    page.locator("#plot-compare").select_option("1d")
    expect(page.locator("#plot-legend tr")).to_have_count(4)
    page.evaluate("() => scrollTo(0, 0)")
    save(page, folder, "status", full=False)


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/screenshots"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        os.chmod(temporary, 0o755)
        folder = Path(temporary)
        fleet = {
            "WORKER_DATABASE_URL": f"sqlite:///{folder / 'queue.db'}",
            "WORKER_STATE_DIR": str(folder / "worker"),
            "WORKER_HOST_NAME": "worker-1",
            "WORKER_MAX_WORKERS": "1",
            "WORKER_CPU_THRESHOLD_PCT": "100",
            "WORKER_STORE_S": "2",
            "WORKER_CHUNK_IMAGES": "40",
        }
        open_queue(fleet["WORKER_DATABASE_URL"]).close()
        settings = {
            "WEBAPP_REFRESH_EVERY_S": "60",
            "WEBAPP_POLL_EVERY_S": "5",
            "WEBAPP_FLEET_DATABASE_URL": fleet["WORKER_DATABASE_URL"],
        }
        with run_deployment(folder, DAY_S, (), **settings) as deployment, run_pool() as pool:
            collect(pool, deployment, folder)
            deployment.wait_for(f"grids.{GRID}.jobs.all.total")
            collected = 0

            def keep_up() -> None:
                """One more run of the collector in every minute, so that nothing ages meanwhile."""
                nonlocal collected
                while time.time() % scene.STEP_S > 40:
                    time.sleep(1)
                if (minute := scene.minute_of(time.time())) > collected:
                    collect(pool, deployment, folder)
                    collected = minute
                    time.sleep(7)

            browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
            save_all(browser, deployment.url, target, keep_up)
            with run_fleet(fleet):
                keep_up()
                save_looks(browser, f"{deployment.url}/fleet", target, "fleet")
            browser.close()


if __name__ == "__main__":
    main()
