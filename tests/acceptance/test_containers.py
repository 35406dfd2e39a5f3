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
from typing import NamedTuple

import pytest
import requests
import yaml

from bench.edge import LIMITS_MB
from tests.acceptance.containers import HARDENED, podman, require_image, running
from tests.acceptance.test_demo import IN_TROUBLE
from tests.services.ask import get
from tests.services.support import PATIENCE_S, absent, free_port, listens, wait_until

pytestmark = [pytest.mark.soak, pytest.mark.containers]
ROOT = Path(__file__).parents[2]
COMPRESSED_MAX_MB = {"collector": 150, "worker": 400, "edge": 100}


class Composition(NamedTuple):
    name: str  # of its containers, before _SERVICE_1
    page: str
    prometheus: str  # with the profile monitoring, as is Alertmanager
    alertmanager: str


@pytest.mark.parametrize("target", COMPRESSED_MAX_MB)
def test_an_image_is_small_and_its_user_is_nobody_special(target: str, tmp_path: Path) -> None:
    require_image(target)
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


def test_the_worker_can_fetch_its_model() -> None:
    """By pip, which the image has to bring; without a network it says what is missing instead."""
    fetch = ["cloud-monitor-worker", "model", "fetch"]
    told = podman("run", "--rm", "--network=none", *HARDENED, "cloud-monitor-worker", *fetch, check=False)
    assert told.returncode != 0
    assert "No module named pip" not in told.stderr
    assert "Let pip reach its package index" in told.stderr


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


@contextmanager
def composed(
    tmp_path: Path, settings: str, *profiles: str, over: tuple[str, ...] = ()
) -> Iterator[Composition]:
    """compose.yaml, with the files of `over` on top, at work; STORE_IMAGE, POSTGRES_IMAGE, PROMETHEUS_IMAGE
    and ALERTMANAGER_IMAGE name what stands for others' images where no registry's can be had."""
    compose = shutil.which("podman-compose")
    if compose is None:
        absent("podman-compose (of PyPI, 1.6 or later) is not installed")
    kept = {path.name for path in (tmp_path / "containers").glob("*")}  # the test's own
    shutil.copytree(ROOT / "containers", tmp_path / "containers", dirs_exist_ok=True, ignore=lambda *_: kept)
    (tmp_path / "containers/settings.env").write_text(settings)
    ports = {name: free_port() for name in ("PAGE_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT")}
    page, prometheus, alertmanager = (f"http://127.0.0.1:{port}" for port in ports.values())
    name = f"cloud-monitor-{ports['PAGE_PORT']}"
    files = [tmp_path / "containers" / file for file in ("compose.yaml", *over)]
    command = [compose, "-p", name, *(f"--file={file}" for file in files)]
    command += [f"--profile={profile}" for profile in profiles]
    environment = os.environ | {variable: str(port) for variable, port in ports.items()}
    try:
        subprocess.run(
            [*command, "up", "-d", "--no-build"], env=environment, check=True, timeout=PATIENCE_S * 5
        )
        yield Composition(name, page, prometheus, alertmanager)
    finally:
        subprocess.run([*command, "down", "-v"], env=environment, check=False, timeout=PATIENCE_S * 3)


def answer(url: str) -> str:
    """The text there; none where nothing answers well yet."""
    try:
        answered = get(url)
    except requests.RequestException:
        return ""
    return answered.text if answered.status_code == 200 else ""


def test_the_composition_shows_a_figure_of_its_host(tmp_path: Path) -> None:
    with composed(tmp_path, "COLLECTOR_GRID=composed\n") as composition:
        figure = '"grids.composed.sysinfo.load"'
        status = f"{composition.page}/api/status"
        wait_until(lambda: figure in answer(status), "the host's load on the page", PATIENCE_S * 3)


def test_the_small_machines_composition_is_of_one_image_and_keeps_its_limits(tmp_path: Path) -> None:
    require_image("edge")
    with composed(tmp_path, "COLLECTOR_GRID=composed\n", over=("compose.edge.yaml",)) as composition:
        figure = '"grids.composed.sysinfo.load"'
        status = f"{composition.page}/api/status"
        wait_until(lambda: figure in answer(status), "the host's load on the page", PATIENCE_S * 3)
        for service, limit_mb in (("page", LIMITS_MB["web"]), ("store", LIMITS_MB["store"])):
            (told,) = json.loads(podman("inspect", f"{composition.name}_{service}_1").stdout)
            assert told["ImageName"] == "localhost/cloud-monitor-edge:latest"
            assert told["HostConfig"]["Memory"] == limit_mb * 2**20
            assert told["HostConfig"]["ReadonlyRootfs"]


def test_the_compositions_fleet_reads_its_pictures(tmp_path: Path) -> None:
    """On its PostgreSQL, by the stub engine; the page shows the batch."""
    folder = tmp_path / "containers"
    shutil.copytree(ROOT / "samples/molecules", folder / "pictures")
    count = len(list((folder / "pictures").iterdir()))
    database = "postgresql://fleet:SECRET@queue/fleet"
    (folder / "queue_password").write_text("SECRET\n")
    (folder / "worker.toml").write_text(
        f'database_url = "{database}"\nstorage_url = "/pictures"\ndecimer_engine = "stub"\n'
        'results_url = "/var/lib/cloud-monitor/worker/results"\n'
        "cpu_threshold_pct = 100\nmemory_threshold_pct = 100\nmemory_drain_pct = 100\n"
        'scheduled_events_url = "off"\nspot_notice_url = "off"\n'
    )
    settings = f"COLLECTOR_GRID=composed\nWEBAPP_FLEET_DATABASE_URL={database}\n"
    with composed(tmp_path, settings, "fleet") as composition:
        worker = f"{composition.name}_worker_1"
        program = ["cloud-monitor-worker", "--config", "/run/secrets/worker"]

        def enqueued() -> bool:  # once PostgreSQL takes connections
            done = podman("exec", worker, *program, "enqueue", ".", "--name", "drawings", check=False)
            return done.returncode == 0

        def read() -> bool:
            told = podman("exec", worker, *program, "status", "--json", check=False)
            return told.returncode == 0 and json.loads(told.stdout)["images"]["done"] == count

        wait_until(enqueued, "a queue that takes a batch", PATIENCE_S * 3)
        wait_until(read, f"{count} pictures that were read", PATIENCE_S * 3)
        url = f"{composition.page}/fleet/batches/drawings"
        wait_until(lambda: "drawings" in answer(url), "the batch's page", PATIENCE_S)


def test_the_compositions_prometheus_has_the_rules_and_tells_alertmanager(tmp_path: Path) -> None:
    """With shorter times than are shipped; nothing else of its files is changed."""
    for source, target in (
        ("containers/prometheus.yml", "containers"),
        ("docs/prometheus/alerts.yml", "docs/prometheus"),
    ):
        (tmp_path / target).mkdir(parents=True)
        text = re.sub(r"(?m)(_interval:|^ +for:) \d+[sm]$", r"\1 2s", (ROOT / source).read_text())
        (tmp_path / source).write_text(text)
    groups = yaml.safe_load((ROOT / "docs/prometheus/alerts.yml").read_text())["groups"]
    shipped = {rule["alert"] for group in groups for rule in group["rules"]}
    settings = "COLLECTOR_GRID=composed\nWEBAPP_POLL_EVERY_S=2\n"
    with composed(tmp_path, settings, "monitoring") as composition:

        def loaded() -> set[str]:
            found = json.loads(answer(f"{composition.prometheus}/api/v1/rules") or '{"data": {"groups": []}}')
            return {rule["name"] for group in found["data"]["groups"] for rule in group["rules"]}

        def up() -> bool:
            found = answer(f"{composition.prometheus}/api/v1/query?query=up")
            return bool(found) and [
                series["metric"]["job"]
                for series in json.loads(found)["data"]["result"]
                if series["value"][1] == "1"
            ] == ["cloud_monitor"]

        def told() -> set[str]:
            found = json.loads(answer(f"{composition.alertmanager}/api/v2/alerts") or "[]")
            return {alert["labels"]["alertname"] for alert in found}

        wait_until(lambda: loaded() == shipped, "the shipped rules in Prometheus", PATIENCE_S * 3)
        wait_until(up, "a page that is scraped", PATIENCE_S * 3)
        figure = '"grids.composed.sysinfo.load"'
        wait_until(lambda: figure in answer(f"{composition.page}/api/status"), "a figure", PATIENCE_S * 3)
        wait_until(lambda: "CloudMonitorPollFailing" not in told(), "a poll that goes well", PATIENCE_S * 3)
        podman("stop", f"{composition.name}_store_1")
        wait_until(lambda: "CloudMonitorPollFailing" in told(), "an alert of the store", PATIENCE_S * 3)


def test_a_small_machine_is_at_work_in_one_container() -> None:
    """A figure of the host goes through the store to the page, within 300 MB."""
    require_image("edge")
    port = free_port()
    options = [*HARDENED, f"--publish=127.0.0.1:{port}:5000", "--memory=300m", "-e", "COLLECTOR_GRID=edge"]
    with running(*options, "cloud-monitor-edge") as edge:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: '"grids.edge.sysinfo.load"' in answer(f"{url}/api/status"), "the host's load", 300)
        plotter = re.search(r'data-plotter="([^"]+)"', answer(url))
        assert plotter is not None
        assert answer(url + plotter[1])
        assert podman("exec", edge, "id", "-u").stdout == "10001\n"
        assert podman("exec", edge, "touch", "/etc/x", check=False).returncode != 0
        assert podman("healthcheck", "run", edge, check=False).returncode == 0
        compiled = podman(
            "exec", edge, "find", "/var/lib/cloud-monitor/compiled", "-name", "run.*.pyc"
        ).stdout
        assert "/collector/run." in compiled, "each run would compile what it needs"
        podman("stop", "--time", "60", edge)
        ended = json.loads(podman("inspect", edge).stdout)[0]["State"]
        assert (ended["ExitCode"], ended["OOMKilled"]) == (0, False)


def test_the_small_machines_container_ends_with_its_first_program() -> None:
    """Here the collector, whose settings name no grid."""
    require_image("edge")
    with running(*HARDENED, "--network=none", "cloud-monitor-edge") as edge:
        status = podman("wait", edge).stdout.strip()
        said = podman("logs", edge)
    assert status == "1"
    assert "COLLECTOR_GRID" in said.stderr
    assert "one of store, collector and page ended by itself (status 2)" in said.stderr


def test_the_demo_is_at_work_in_one_container() -> None:
    """By `tools/build-containers demo`; its fleet waits for a model, which no network is there to fetch."""
    require_image("demo")
    with running(*HARDENED, "--network=none", "cloud-monitor-demo") as demo:

        def said(*command: str) -> str:
            return podman("exec", demo, *command, check=False).stdout

        page = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:5000/').read().decode())"
        wait_until(lambda: IN_TROUBLE.search(said("python3", "-c", page)), "a cloud in trouble", 300)
        mail = ["grep", "-rh", "^Subject: ", "/var/lib/cloud-monitor/demo/mailbox/new"]
        wait_until(lambda: "3 VMs lost" in said(*mail), "mail on lost VMs", 300)
