"""A host that cannot do what others can: it holds itself back, is named, and costs nobody anything."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.services.azurite import Azurite
from tests.worker.fleet import FAULTY_RUN, Fleet
from worker.queue.statistics.queue import read_figures

NAMED_S = 30


def held(fleet: Fleet, host: str) -> list[str]:
    events = read_figures(fleet.database_url).events
    return [event.message for event in events if event.host == host and event.kind == "host_held"]


def check_all_by(fleet: Fleet, host: str) -> None:
    rows = fleet.check_all_once()
    assert {row.result.error for row in rows} == {None}
    assert {row.host for row in rows} == {host}
    figures = read_figures(fleet.database_url)
    assert figures.dead == ()
    assert "failed" not in figures.attempts, "no chunk was charged"


@pytest.mark.root
def test_a_share_that_is_not_mounted_on_one_host(tmp_path: Path) -> None:
    """Another file system lies over its images, as where a share was forgotten: its folder is empty."""
    fleet = Fleet(tmp_path, environment={"WORKER_MAX_WORKERS": "1"})
    try:
        contents = [bytes(1 + number % 200) for number in range(400)]
        fleet.add_images("a", contents[:10])
        fleet.enqueue()
        assert fleet.wait(fleet.start(WORKER_HOST_NAME="good")) == 0, fleet.said()
        fleet.add_images("a", contents)
        fleet.enqueue(chunk_images=30)
        cover = f'mount -t tmpfs none "{fleet.images}/a" && exec "$@"'
        begun_s = time.monotonic()
        bad = fleet.start(["unshare", "-m", "sh", "-c", cover, "sh", *FAULTY_RUN], WORKER_HOST_NAME="bad")
        fleet.wait_until(lambda: held(fleet, "bad"), "the bad host's name")
        named_after_s = time.monotonic() - begun_s
        assert held(fleet, "bad")[0].startswith("held back: ")
        assert "cannot read" in held(fleet, "bad")[0]
        assert fleet.wait(fleet.start(WORKER_HOST_NAME="good")) == 0, fleet.said()
        fleet.wait(bad)
        check_all_by(fleet, "good")
        assert named_after_s < NAMED_S or os.getloadavg()[0] > 4
    finally:
        fleet.stop()


@pytest.mark.azurite
def test_a_wrong_key_on_one_host(azurite: Azurite, tmp_path: Path) -> None:
    container = azurite.create_container()
    account = azurite.connection_string
    environment = {
        "WORKER_STORAGE_URL": f"azure://{container}",
        "WORKER_AZURE_CONNECTION_STRING": account,
        "WORKER_MAX_WORKERS": "1",
    }
    fleet = Fleet(tmp_path, environment=environment)
    fleet.source = f"azure://{container}"
    try:
        for images in (5, 60):
            fleet.add_images("a", [bytes(1 + number % 200) for number in range(images)])
            for key, content in fleet.contents.items():
                azurite.container(container).upload_blob(key, content, overwrite=True)
            fleet.enqueue(chunk_images=10)
            if images == 5:
                assert fleet.wait(fleet.start(WORKER_HOST_NAME="good")) == 0, fleet.said()
        key = account.split("AccountKey=")[1].split(";")[0]
        wrong = account.replace(key, "A" * (len(key) - 2) + "==")
        bad = fleet.start(WORKER_HOST_NAME="bad", WORKER_AZURE_CONNECTION_STRING=wrong)
        fleet.wait_until(lambda: held(fleet, "bad"), "the bad host's name")
        assert "AuthorizationFailure" in held(fleet, "bad")[0]
        assert fleet.wait(fleet.start(WORKER_HOST_NAME="good")) == 0, fleet.said()
        fleet.wait(bad)
        check_all_by(fleet, "good")
    finally:
        fleet.stop()


def test_an_image_that_only_its_own_file_keeps_back_is_its_own_fault(tmp_path: Path) -> None:
    """All that was in a directory is gone, and others are read: these images are charged, in the end."""
    fleet = Fleet(tmp_path, environment={"WORKER_MAX_WORKERS": "1"})
    try:
        fleet.add_images("a", [b"x"] * 20)
        fleet.add_images("gone", [b"x"] * 5)
        fleet.enqueue(chunk_images=20)
        for path in (fleet.images / "gone").iterdir():
            path.unlink()
        fleet.wait(fleet.start())
        errors = {row.image: row.result.error for row in fleet.rows()}
        assert len(errors) == 25
        assert {key for key, error in errors.items() if error} == {f"gone/{n:05}.png" for n in range(5)}
        assert {str(error).split(":")[0] for error in errors.values() if error} == {"ImageMissing"}
    finally:
        fleet.stop()


@pytest.mark.root
def test_an_image_that_cannot_be_read_among_others_that_can_is_its_own_fault(tmp_path: Path) -> None:
    """The kernel refuses to read a process's memory, as it does a bad block: one of a chunk's 30 images."""
    fleet = Fleet(tmp_path, environment={"WORKER_MAX_WORKERS": "1"})
    try:
        fleet.add_images("a", [bytes(1 + number) for number in range(30)])
        fleet.enqueue(chunk_images=30)
        cover = f'mount --bind "/proc/$$/mem" "{fleet.images}/a/00007.png" && exec "$@"'
        assert fleet.wait(fleet.start(["unshare", "-m", "sh", "-c", cover, "sh", *FAULTY_RUN])) == 0
        errors = {row.image: row.result.error for row in fleet.rows()}
        assert len(errors) == 30
        assert [key for key, error in errors.items() if error] == ["a/00007.png"]
        assert str(errors["a/00007.png"]).startswith("ImageMissing: ")
        assert "failed" not in read_figures(fleet.database_url).attempts
    finally:
        fleet.stop()
