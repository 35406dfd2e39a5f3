"""Temporary folders: counted with what is reserved, removed when their worker is gone and not before."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.services.support import PATIENCE_S, open_way_to
from tests.worker.queue.helpers import queue_at
from worker.gate.temporary import TempFolder, lock_file, read_temp_use, sweep_temp, temp_claims
from worker.settings import Settings
from worker.supervisor.supervisor import Supervisor


def left_in(temp_dir: Path) -> list[str]:
    """Names, but for the lock's file, which stays."""
    return [path.name for path in temp_dir.iterdir() if path != lock_file(temp_dir)]


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
    assert left_in(tmp_path) == ["not ours"]


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
    assert left_in(tmp_path) == ["cloud-monitor-worker-alive"]
    alive.remove()


def test_what_a_removal_that_was_cut_short_left_is_swept(tmp_path: Path) -> None:
    """The mark may have been the first to go."""
    left = tmp_path / "cloud-monitor-worker-a.removed"
    left.mkdir()
    (left / "7-3.png").touch()
    assert sweep_temp(tmp_path) == [left.name]
    assert left_in(tmp_path) == []


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
    assert left_in(tmp_path) == []


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
    queue = queue_at(settings.queue_url)
    supervisor = Supervisor(queue, settings, "host", ["false"], until_empty=False)
    supervisor.leave("the test is over")
    supervisor.run()
    queue.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_no_other_user_holds_up_claims_and_sweeps_by_a_lock(tmp_path: Path) -> None:
    """Who may read a folder may lock it; the file that is locked lets nobody else in."""
    temp_dir = tmp_path / "temp"
    temp_dir.mkdir(mode=0o777)
    temp_dir.chmod(0o1777)
    open_way_to(temp_dir)
    sweep_temp(temp_dir)
    locks = ("flock", "-s", "-n", "-E", "9")
    program = [*locks, str(temp_dir), "sh", "-c", "echo held; exec sleep 60"]
    stranger = subprocess.Popen(program, user=65534, group=65534, extra_groups=[], stdout=subprocess.PIPE)
    try:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == b"held\n"
        with temp_claims(temp_dir):
            assert sweep_temp_by_another_process_waits(temp_dir)
        TempFolder(temp_dir, "w").remove()
        refused = subprocess.run(
            [*locks, str(lock_file(temp_dir)), "true"], user=65534, group=65534, extra_groups=[], check=False
        )
        assert refused.returncode != 0
    finally:
        stranger.kill()
        stranger.wait()


def sweep_temp_by_another_process_waits(temp_dir: Path) -> bool:
    """Whether the lock still excludes those of this user from each other."""
    program = "import sys, pathlib, worker.gate.temporary as t; t.sweep_temp(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(temp_dir)]
    process = subprocess.Popen(command)
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        return True
    finally:
        process.kill()
        process.wait()
    return False


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_a_file_of_another_user_in_the_locks_place_is_named(tmp_path: Path) -> None:
    lock_file(tmp_path).touch()
    os.chown(lock_file(tmp_path), 65534, 65534)
    with pytest.raises(PermissionError, match="belongs to another user: remove it, or set WORKER_TEMP_DIR"):
        sweep_temp(tmp_path)
