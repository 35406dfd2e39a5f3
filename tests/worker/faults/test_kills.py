"""SIGKILL of workers and supervisors at random moments: no image is lost, none is done twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.support import PATIENCE_S, slowdown, wait_until
from tests.worker.fleet import Fleet

ENVIRONMENT = {"WORKER_MAX_WORKERS": "3", "WORKER_STUB_S": "0.01", "WORKER_LEASE_S": "4"}


@pytest.fixture
def fleet(fleet_url: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, fleet_url, ENVIRONMENT)
    yield fleet
    fleet.stop()


def fill(fleet: Fleet, directories: int, images: int) -> None:
    for number in range(directories):
        fleet.add_images(f"d{number:02}", [bytes(1 + (number + image) % 200) for image in range(images)])
    fleet.enqueue()


def kill_at_random(
    fleet: Fleet, chance: random.Random, workers: int, supervisors: int, timeout_s: float
) -> None:
    """Two supervisors at a time, replaced when they are killed; then whatever is left is done in peace."""
    kills = [signal.SIGKILL] * workers + [None] * supervisors
    chance.shuffle(kills)
    running: list[subprocess.Popen[bytes]] = [fleet.start(), fleet.start()]
    deadline_s = time.monotonic() + timeout_s
    for kill in kills:
        time.sleep(chance.uniform(0.05, 0.6))
        assert time.monotonic() < deadline_s, fleet.said()
        if kill is None:
            victim = running.pop(chance.randrange(len(running)))
            victim.kill()
            victim.wait()
            running.append(fleet.start())
            continue
        while not (pids := fleet.worker_pids()):
            assert time.monotonic() < deadline_s, fleet.said()
            time.sleep(0.05)
        os.kill(chance.choice(pids), kill)
    for process in running:
        assert fleet.wait(process, max(1, deadline_s - time.monotonic())) == 0, fleet.said()
    wait_for_orphans(fleet)


def wait_for_orphans(fleet: Fleet) -> None:
    """Workers of a killed supervisor leave by themselves within 25 s; the next supervisor sweeps after
    them.
    """
    wait_until(lambda: not fleet.all_pids(), "the end of the orphans", slowdown() * 25)
    assert fleet.wait(fleet.start()) == 0


def test_a_few_kills(fleet: Fleet) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    fill(fleet, directories=6, images=60)
    kill_at_random(fleet, random.Random(seed), workers=6, supervisors=1, timeout_s=PATIENCE_S)
    fleet.check_all_once()


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_hundred_workers_and_ten_supervisors(fleet: Fleet) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    fill(fleet, directories=40, images=200)
    kill_at_random(fleet, random.Random(seed), workers=100, supervisors=10, timeout_s=1000)
    fleet.check_all_once()
