"""Who may read the queue and the logs of a fleet that no unit has started: by the folder, not the umask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.needs import need
from tests.services.programs import run_for_bytes
from tests.services.support import open_way_to
from worker.supervisor.processes import open_log, rotate_log

GROUP = NOBODY = 65534
# All modules are read before the user changes: another may not be let into their folders.
_READ = """
import os, sys
import sqlalchemy.dialects.sqlite, sqlite3
from worker.queue.database.connections import Database
os.setgroups([]); os.setgid({group}); os.setuid({user})
reader = Database("sqlite:///" + sys.argv[1], 1, read_only=True)
print(reader.read(lambda connection: connection.exec_driver_sql("SELECT count(*) FROM batches").scalar()))
"""


def enqueue(state: Path) -> None:
    """By the command, in a process whose umask is the usual one."""
    images = state.parent / "images"
    images.mkdir()
    (images / "a.png").write_bytes(b"x")
    environment = {**os.environ, "WORKER_STATE_DIR": str(state), "WORKER_STORAGE_URL": str(images)}
    command = ("enqueue", str(images), "--name", "batch")
    done = run_for_bytes("worker", *command, environment=environment, umask=0o022)
    assert done.returncode == 0, done.stderr


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o777:o}"


@pytest.mark.parametrize(
    ("folder", "folder_is", "file_is"),
    [
        (None, "700", "600"),
        (0o700, "700", "600"),
        (0o750, "750", "640"),
        (0o770, "770", "640"),
        (0o755, "755", "600"),
    ],
)
def test_the_queue_is_as_open_as_its_folder(
    tmp_path: Path, folder: int | None, folder_is: str, file_is: str
) -> None:
    state = tmp_path / "state"
    if folder is not None:
        state.mkdir()
        state.chmod(folder)
    enqueue(state)
    assert mode(state) == folder_is
    found = {path.name: mode(path) for path in state.iterdir() if path.is_file()}
    assert found["queue.db"] == file_is
    assert set(found.values()) <= {file_is, "600"}


@pytest.mark.parametrize(("folder", "logs_are", "log_is"), [(0o700, "700", "600"), (0o750, "750", "640")])
def test_logs_are_as_open_as_their_folder(tmp_path: Path, folder: int, logs_are: str, log_is: str) -> None:
    tmp_path.chmod(folder)
    logs = tmp_path / "logs"
    with open_log(logs, "w-1") as log:
        log.write(b"said\n")
    rotate_log(logs / "w-1.log", 1, 2)
    assert (mode(logs), mode(logs / "w-1.log"), mode(logs / "w-1.log.1")) == (logs_are, log_is, log_is)
    assert (logs / "w-1.log.1").read_bytes() == b"said\n"


def test_the_page_reads_a_resting_queue_by_its_group_and_a_stranger_does_not(tmp_path: Path) -> None:
    """No worker runs: the files beside the queue are gone, and the group may make none."""
    need("root")
    if os.geteuid() != 0:
        pytest.skip("needs a second user")
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 0, GROUP)
    state.chmod(0o2750)
    enqueue(state)
    queue = state / "queue.db"
    assert sorted(path.name for path in state.glob("queue.db*")) == ["queue.db"]
    open_way_to(queue)
    state.chmod(0o2750)

    def read(group: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _READ.format(group=group, user=NOBODY), str(queue)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    member = read(GROUP)
    assert (member.stdout, member.returncode) == ("1\n", 0), member.stderr
    assert read(12345).returncode != 0
    assert sorted(path.name for path in state.glob("queue.db*")) == ["queue.db"]
