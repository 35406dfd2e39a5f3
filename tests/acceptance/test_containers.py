"""The images that `make containers` has built, at work: read-only, without rights."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.services.ask import get
from tests.services.needs import find_program
from tests.services.support import PATIENCE_S, absent, free_port, listens, wait_until

pytestmark = [pytest.mark.soak, pytest.mark.containers]
ROOT = Path(__file__).parents[2]
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop=all", "--security-opt=no-new-privileges")
COMPRESSED_MAX_MB = {"collector": 150, "worker": 400}


def podman(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [find_program("podman", "podman"), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 3,
        check=check,
    )


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """The id of a container that runs meanwhile."""
    name = podman("run", "--detach", *arguments).stdout.strip()
    try:
        yield name
    finally:
        podman("rm", "--force", "--time", "20", name, check=False)


@pytest.mark.parametrize("target", COMPRESSED_MAX_MB)
def test_an_image_is_small_and_its_user_is_nobody_special(target: str, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    podman("save", "--format", "oci-archive", "--output", str(archive), f"cloud-monitor-{target}")
    packed = subprocess.run(["gzip", "-1", "-c", archive], stdout=subprocess.PIPE, check=True).stdout
    assert len(packed) < COMPRESSED_MAX_MB[target] * 1_000_000
    told = json.loads(podman("image", "inspect", f"cloud-monitor-{target}").stdout)[0]["Config"]
    assert told["User"] == "10001:10001"


def test_the_page_serves_within_its_memory(tmp_path: Path) -> None:
    port = free_port()
    options = [*HARDENED, "--network=host", "--memory=80m", "-e", f"WEBAPP_PORT={port}"]
    with running(*options, "-e", "WEBAPP_HOST=127.0.0.1", "cloud-monitor-collector") as page:
        wait_until(lambda: listens(port), "the page in its container")
        assert get(f"http://127.0.0.1:{port}/").status_code == 200
        plotter = re.search(r'data-plotter="([^"]+)"', get(f"http://127.0.0.1:{port}/").text)
        assert plotter is not None
        assert get(f"http://127.0.0.1:{port}{plotter[1]}").status_code == 200
        assert podman("exec", page, "id", "-u").stdout == "10001\n"
        assert podman("exec", page, "touch", "/etc/x", check=False).returncode != 0


def test_a_fleet_reads_its_pictures(tmp_path: Path) -> None:
    """By the stub engine: the model is a volume, and not in the image."""
    for name in ("pictures", "state", "results"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, 10001, 10001)
    for path in sorted((ROOT / "samples/molecules").glob("*.png")):
        shutil.copy(path, tmp_path / "pictures")
    count = len(list((tmp_path / "pictures").iterdir()))
    assert count >= 4
    (tmp_path / "worker.toml").write_text(
        'storage_url = "/pictures"\nresults_url = "/results"\ndecimer_engine = "stub"\n'
        "cpu_threshold_pct = 100\nmemory_threshold_pct = 100\nmemory_drain_pct = 100\n"
        'scheduled_events_url = "off"\nspot_notice_url = "off"\n'
    )
    volumes = ["-v", f"{tmp_path}/pictures:/pictures:ro", "-v", f"{tmp_path}/results:/results"]
    volumes += [
        "-v",
        f"{tmp_path}/state:/var/lib/cloud-monitor/worker",
        "-v",
        f"{tmp_path}/worker.toml:/run/worker.toml:ro",
    ]
    options = [*HARDENED, "--rm", "--network=none", "--memory=400m", *volumes, "cloud-monitor-worker"]
    worker = ["cloud-monitor-worker", "--config", "/run/worker.toml"]
    podman("run", *options, *worker, "enqueue", ".", "--name", "b")
    podman("run", *options, *worker, "run", "--until-empty")
    told = json.loads(podman("run", *options, *worker, "status", "--json").stdout)
    assert told["images"]["done"] == count


def test_the_composition_shows_a_figure_of_its_host(tmp_path: Path) -> None:
    """STORE_IMAGE names what stands for the store where a registry's image cannot be had."""
    compose = shutil.which("podman-compose")
    if compose is None:
        absent("podman-compose (of PyPI, 1.6 or later) is not installed")
    shutil.copytree(ROOT / "containers", tmp_path / "containers")
    (tmp_path / "containers/settings.env").write_text("COLLECTOR_GRID=composed\n")
    port = free_port()
    command = [compose, "-p", f"cloud-monitor-{port}", "-f", str(tmp_path / "containers/compose.yaml")]
    environment = os.environ | {"PAGE_PORT": str(port)}

    def shows_figure() -> bool:
        try:
            values = get(f"http://127.0.0.1:{port}/api/status").json()["values"]
        except requests.RequestException:
            return False
        return "grids.composed.sysinfo.load" in values

    try:
        subprocess.run(
            [*command, "up", "-d", "--no-build"], env=environment, check=True, timeout=PATIENCE_S * 5
        )
        wait_until(shows_figure, "the host's load on the page", PATIENCE_S * 3)
    finally:
        subprocess.run([*command, "down", "-v"], env=environment, check=False, timeout=PATIENCE_S * 3)
