"""The services under the fleet fail: PostgreSQL restarts, Azurite is away, a disk is full. The fleet waits
and goes on.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.services.azurite import Azurite
from tests.services.disks import fill, small_disk
from tests.services.postgres import Postgres
from tests.services.postgres_pair import PostgresPair
from tests.worker.fleet import FAULTY_STAY, Fleet
from worker.queue.statistics.queue import read_figures


def contents(images: int, size: int = 1) -> list[bytes]:
    return [bytes(size + number) for number in range(images)]


def done(fleet: Fleet) -> int:
    return len(fleet.rows())


@pytest.mark.parametrize("way", [pytest.param("restart", marks=pytest.mark.soak), "kill"])
def test_postgresql_restarts(own_postgres: Postgres, tmp_path: Path, way: str) -> None:
    fleet = Fleet(tmp_path, own_postgres.create_database(), {"WORKER_MAX_WORKERS": "2"})
    try:
        for directory in "abc":
            fleet.add_images(directory, contents(60))
        fleet.enqueue()
        supervisor = fleet.start()
        fleet.wait_until(lambda: done(fleet) >= 20, "the first results")
        if way == "restart":
            own_postgres.restart()
        else:
            own_postgres.kill()
            time.sleep(1)
            own_postgres.start()
        assert fleet.wait(supervisor) == 0, fleet.said()
        fleet.check_all_once()
    finally:
        fleet.stop()


def test_postgresql_switches_over(postgres_pair: PostgresPair, tmp_path: Path) -> None:
    """Two supervisors at work: their connections lead to what is a standby now, then to the primary."""
    fleet = Fleet(tmp_path, postgres_pair.url, {"WORKER_MAX_WORKERS": "2"})
    try:
        for directory in "abc":
            fleet.add_images(directory, contents(40))
        fleet.enqueue(chunk_images=10)
        supervisors = [
            fleet.start(WORKER_HOST=host, WORKER_STATE_DIR=str(tmp_path / "state" / host)) for host in "pq"
        ]
        fleet.wait_until(lambda: done(fleet) >= 10, "the first results")
        postgres_pair.switch_over()
        fleet.wait_until(
            lambda: fleet.has_said("standby") or fleet.has_said("read-only"), "what hinders them"
        )
        postgres_pair.follow()
        for supervisor in supervisors:
            assert fleet.wait(supervisor) == 0, fleet.said()
        rows = fleet.check_all_once()
        assert len(rows) == 120
        assert not fleet.has_said("Traceback"), fleet.said()
    finally:
        fleet.stop()


@pytest.mark.parametrize("away_s", [3, pytest.param(10, marks=pytest.mark.soak)])
def test_azurite_is_away(own_azurite: Azurite, tmp_path: Path, away_s: float) -> None:
    container = own_azurite.create_container()
    environment = {
        "WORKER_STORAGE_URL": f"azure://{container}",
        "WORKER_RESULTS_URL": f"azure://{container}-results",
        "WORKER_AZURE_CONNECTION_STRING": own_azurite.connection_string,
        "WORKER_MAX_WORKERS": "2",
    }
    fleet = Fleet(tmp_path, environment=environment)
    fleet.source = f"azure://{container}"
    own_azurite.container(f"{container}-results").create_container()
    try:
        for directory in "abc":
            fleet.add_images(directory, contents(40))
        for key, content in fleet.contents.items():
            own_azurite.container(container).upload_blob(key, content)
        fleet.enqueue(chunk_images=10)
        supervisor = fleet.start()
        fleet.wait_until(lambda: done(fleet) >= 10, "the first results")
        own_azurite.stop()
        time.sleep(away_s)
        own_azurite.start()
        assert fleet.wait(supervisor) == 0, fleet.said()
        fleet.check_all_once()
        stored = list(own_azurite.container(f"{container}-results").list_blob_names())
        assert len(stored) == 12, "one file of results a chunk"
    finally:
        fleet.stop()


def refuses_for_storage(fleet: Fleet) -> bool:
    """A chunk, or another worker: which one is asked for depends on how many workers there were before."""
    notes = read_figures(fleet.database_url).decisions
    return any(not note.admitted and note.reason.startswith("temp_") for note in notes)


def test_a_disk_that_fills(tmp_path: Path) -> None:
    """Somebody else fills the temporary disk while there is work; the gate holds until there is room."""
    environment = {"WORKER_MAX_WORKERS": "6", "WORKER_CHUNK_IMAGES": "10", "WORKER_IMAGE_MB": "0.05"}
    fleet = Fleet(tmp_path, environment=environment)
    with small_disk(fleet.temp, 4_000_000):
        try:
            fleet.add_images("a", contents(60, size=50_000))
            fleet.enqueue(chunk_images=10)
            supervisor = fleet.start(FAULTY_STAY)
            fleet.wait_until(lambda: done(fleet) >= 10, "the first results")
            filler = fill(fleet.temp)
            # As much as nobody gets done meanwhile, so that the gate has something to refuse.
            fleet.add_images("b", contents(60, size=50_000))
            fleet.enqueue(chunk_images=10)
            fleet.wait_until(lambda: refuses_for_storage(fleet), "the gate's refusal")
            filler.unlink()
            fleet.wait_until(lambda: done(fleet) == 120, "all results")
            supervisor.send_signal(signal.SIGTERM)
            assert fleet.wait(supervisor) == 0, fleet.said()
            fleet.check_all_once()
        finally:
            fleet.stop()
