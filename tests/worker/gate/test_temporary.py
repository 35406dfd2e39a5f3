"""Temporary folders: counted with what is reserved, removed when their worker is gone and not before."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.services.support import PATIENCE_S
from worker.gate.temporary import TempFolder, read_temp_use, sweep_temp
from worker.queue import open_queue
from worker.settings import Settings
from worker.supervisor.supervisor import Supervisor

HOLDER = """
import sys, time
from pathlib import Path
from worker.gate.temporary import TempFolder
folder = TempFolder(Path(sys.argv[1]), "held")
(folder.path / "image.png").write_bytes(bytes(1000))
folder.count()
print("ready", flush=True)
time.sleep(60)
"""


def test_files_and_reservations_count_the_larger_of_both(tmp_path: Path) -> None:
    first, second = TempFolder(tmp_path, "a"), TempFolder(tmp_path, "b")
    first.reserve(5000)
    (first.path / "1.png").write_bytes(bytes(2000))
    (second.path / "2.png").write_bytes(bytes(300))
    (tmp_path / "not ours").write_bytes(bytes(10_000))
    first.count()
    second.count()
    assert read_temp_use(tmp_path, 10_000).used_bytes == 5300
    first.reserve(0)
    assert read_temp_use(tmp_path, 10_000).used_bytes == 2300
    first.remove()
    second.remove()
    assert read_temp_use(tmp_path, 10_000).used_bytes == 0
    assert [path.name for path in tmp_path.iterdir()] == ["not ours"]


def test_a_reservation_takes_no_disk(tmp_path: Path) -> None:
    folder = TempFolder(tmp_path, "a")
    folder.reserve(10**12)
    assert sum(path.stat().st_blocks for path in folder.path.iterdir()) == 0
    folder.remove()


def test_what_a_claim_is_about_to_reserve_takes_the_place_of_what_is(tmp_path: Path) -> None:
    first, second = TempFolder(tmp_path, "a"), TempFolder(tmp_path, "b")
    first.reserve(5000)
    second.reserve(300)
    assert read_temp_use(tmp_path, 10_000, {first.path.name: 0}).used_bytes == 300
    first.remove()
    second.remove()


def test_the_limit_is_never_more_than_the_disk_has_left(tmp_path: Path) -> None:
    assert read_temp_use(tmp_path, 1000).limit_bytes == 1000
    assert read_temp_use(tmp_path, 10**18).limit_bytes < 10**18


def test_only_folders_of_the_dead_are_swept(tmp_path: Path) -> None:
    alive = TempFolder(tmp_path, "alive")
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    assert sweep_temp(tmp_path) == []
    assert read_temp_use(tmp_path, 10_000).used_bytes == 1000
    holder.kill()
    holder.wait()
    assert read_temp_use(tmp_path, 10_000).used_bytes == 1000
    assert sweep_temp(tmp_path) == ["cloud-monitor-worker-held"]
    assert [path.name for path in tmp_path.iterdir()] == ["cloud-monitor-worker-alive"]
    alive.remove()


def test_what_a_removal_that_was_cut_short_left_is_swept(tmp_path: Path) -> None:
    """The mark may have been the first to go."""
    left = tmp_path / "cloud-monitor-worker-a.removed"
    left.mkdir()
    (left / "7-3.png").touch()
    assert sweep_temp(tmp_path) == [left.name]
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_put_into_a_folder_that_is_removed(tmp_path: Path) -> None:
    """Downloads may still go on when their worker has to be gone."""
    folder = TempFolder(tmp_path, "a")
    for number in range(500):  # time for a download to come between
        (folder.path / f"old-{number}.png").touch()
    over = threading.Event()

    def download() -> None:
        for number in itertools.count():
            try:
                (folder.path / f"{number}.png").touch()
            except FileNotFoundError:
                break
        over.set()

    threading.Thread(target=download, daemon=True).start()
    folder.remove()
    assert over.wait(PATIENCE_S)
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_link_of_that_name_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.mkdir()
    (target / "file").touch()
    temp_dir = tmp_path / "temp"
    temp_dir.mkdir()
    (temp_dir / "cloud-monitor-worker-link").symlink_to(target)
    sweep_temp(temp_dir)
    assert (target / "file").exists()


def test_a_folder_that_only_looks_like_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cloud-monitor-worker-sources").mkdir()
    (tmp_path / "cloud-monitor-worker-sources" / "thesis.tex").touch()
    assert sweep_temp(tmp_path) == []
    assert (tmp_path / "cloud-monitor-worker-sources" / "thesis.tex").exists()


def test_two_workers_cannot_have_the_same_folder(tmp_path: Path) -> None:
    TempFolder(tmp_path, "a")
    with pytest.raises(FileExistsError):
        TempFolder(tmp_path, "a")


def test_a_folder_out_of_reach_does_not_end_its_supervisor(tmp_path: Path) -> None:
    settings = Settings.model_validate({"state_dir": tmp_path, "temp_dir": tmp_path / ("x" * 300)})
    queue = open_queue(settings.queue_url)
    supervisor = Supervisor(queue, settings, "host", ["false"], until_empty=False)
    supervisor.leave("the test is over")
    supervisor.run()
    queue.close()
