"""Containers end when they are asked to, at whatever moment, and their health checks tell what hangs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.containers import HARDENED, podman, require_image, running, state_of
from tests.services.support import PATIENCE_S, wait_until

pytestmark = [pytest.mark.soak, pytest.mark.containers]
MOMENTS_S = (0, 0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6)  # after podman has started it
# The page or the store of another machine is nowhere to be had: all are asked to end while they wait, too.
PROGRAMS = {
    "page": ("collector",),
    "loop": ("collector", "cloud-monitor-collector", "--every", "60"),
    "worker": ("worker",),
    "edge": ("edge",),
    "store": ("edge", "start-victoriametrics", "/var/lib/cloud-monitor/store", ":8428", ":2003"),
    "demo": ("demo",),
}
SETTINGS = tuple(
    f"--env={setting}"
    for setting in ("COLLECTOR_GRID=contained", "COLLECTOR_CARBON=127.0.0.1:1", "WORKER_DECIMER_ENGINE=stub")
)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_container_ends_in_time_at_any_moment(name: str) -> None:
    """With 0: killed after podman's ten seconds it would be 137."""
    target, *command = PROGRAMS[name]
    require_image(target)
    options = [*HARDENED, "--network=none", *SETTINGS, f"cloud-monitor-{target}", *command]
    made = podman("create", *options).stdout.strip()
    ended = {}
    try:
        for index, moment_s in enumerate(MOMENTS_S):
            podman("start", made)
            time.sleep(moment_s)
            podman("stop", "--time", "10", made)
            ended[index, moment_s] = state_of(made)["ExitCode"]
        assert set(ended.values()) == {0}, (ended, podman("logs", made).stderr[-2000:])
    finally:
        podman("rm", "--force", "--time", "5", made, check=False)


def is_well(container: str) -> bool:
    return podman("healthcheck", "run", container, check=False).returncode == 0


@contextmanager
def hanging(container: str, command_line: str) -> Iterator[None]:
    """Its processes whose command line has this are stopped meanwhile, as seen from this machine."""
    root = state_of(container)["Pid"]
    found = [pid for pid in below(root) if command_line in command_of(pid)]
    assert found, command_line
    for pid in found:
        os.kill(pid, 19)
    try:
        yield
    finally:
        for pid in found:
            os.kill(pid, 18)


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def below(pid: int) -> list[int]:
    """The process and all that came of it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in below(int(child)))]


@pytest.mark.parametrize("hangs", ["cloud-monitor-webapp", "victoria-metrics"])
def test_a_hung_part_makes_the_small_machines_container_unwell(hangs: str) -> None:
    require_image("edge")
    soon = (
        "-e",
        "WEBAPP_POLL_EVERY_S=2",
        "-e",
        "WEBAPP_HEALTH_MAX_AGE_S=20",
        "-e",
        "WEBAPP_GRAPHITE_TIMEOUT_S=2",
    )
    with running(*HARDENED, "--network=none", *SETTINGS, *soon, "cloud-monitor-edge") as edge:
        wait_until(lambda: is_well(edge), "a container that is well", PATIENCE_S * 3)
        with hanging(edge, hangs):
            wait_until(lambda: not is_well(edge), f"word that {hangs} hangs", PATIENCE_S * 2)
        wait_until(lambda: is_well(edge), "a container that is well again", PATIENCE_S * 3)


def test_a_worker_that_hangs_or_loses_its_queue_is_unwell(tmp_path: Path) -> None:
    """Its last report counts for two minutes."""
    require_image("worker")
    for name in ("state", "pictures"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, 10001, 10001)
    (tmp_path / "pictures/a.png").write_bytes(b"no picture")
    volumes = [
        "-v",
        f"{tmp_path}/state:/var/lib/cloud-monitor/worker",
        "-v",
        f"{tmp_path}/pictures:/pictures:ro",
    ]
    with running(*HARDENED, "--network=none", *SETTINGS, *volumes, "cloud-monitor-worker") as worker:
        podman("exec", worker, "cloud-monitor-worker", "enqueue", "/pictures", "--name", "b")
        wait_until(lambda: is_well(worker), "a worker that is well", PATIENCE_S * 3)
        with hanging(worker, "cloud-monitor-worker run"):
            wait_until(lambda: not is_well(worker), "word that it hangs", 300)
        wait_until(lambda: is_well(worker), "a worker that is well again", PATIENCE_S)
        (tmp_path / "state/queue.db").rename(tmp_path / "state/away.db")
        wait_until(lambda: not is_well(worker), "word that its queue is gone", PATIENCE_S)
