"""Nobody else can hold, read or replace what the collector keeps: lock and state directory."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from collector.lock import StateDirOpen, run_lock
from tests.collector.support import ROOT, collector_environment, peer, read_to_end, run_collector
from tests.services.support import NOBODY, as_nobody, open_way_to


def test_a_new_state_directory_and_its_files_are_for_this_user_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with peer(read_to_end) as carbon:
        run_collector(environment=collector_environment(state, carbon))
    assert state.stat().st_mode & 0o777 == 0o700
    for path in (state / "lock", state / "seen.json"):
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert (state / "spool").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_another_user_cannot_stop_the_collector_by_a_shared_lock(tmp_path: Path) -> None:
    """Also where an earlier version left a lock file that everybody can read."""
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    lock = state / "lock"
    lock.touch(mode=0o644)
    open_way_to(state)
    with run_lock(state):
        pass
    with as_nobody():
        assert lock.stat().st_mode & 0o777 == 0o600  # and not out of reach altogether
    with pytest.raises(PermissionError), as_nobody():
        fcntl.lockf(open(lock), fcntl.LOCK_SH)  # noqa: SIM115 - held until the process ends
    with run_lock(state):
        pass


@pytest.mark.parametrize("folder", ["", "spool"])
def test_a_state_directory_that_others_can_write_is_refused(tmp_path: Path, folder: str) -> None:
    state = tmp_path / "state"
    (state / "spool").mkdir(parents=True)
    (state / folder).chmod(0o777)
    with pytest.raises(StateDirOpen), run_lock(state):
        pass
    ended = run_collector(environment=collector_environment(state, "127.0.0.1:1"))
    assert ended.returncode == 2
    assert f"chmod o-w {(state / folder)}" in ended.stderr
    checked = run_collector("--check", environment=collector_environment(state, "127.0.0.1:1"))
    assert f"chmod o-w {(state / folder)}" in checked.stdout
    (state / folder).chmod(0o700)
    assert run_collector(environment=collector_environment(state, "127.0.0.1:1")).returncode == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
@pytest.mark.parametrize("closed", ["state", "state/spool"])
def test_fresh_points_are_sent_although_the_state_directory_may_not_be_entered(
    tmp_path: Path, closed: str
) -> None:
    """By a root without the right to pass over modes: any other user may not run this Python."""
    (tmp_path / "state/spool").mkdir(parents=True)
    os.chown(tmp_path / closed, NOBODY, NOBODY)
    (tmp_path / closed).chmod(0o700)
    taken: list[bytes] = []
    without = "-dac_override,-dac_read_search"
    with peer(lambda connection: taken.append(read_to_end(connection))) as carbon:
        ended = subprocess.run(
            [
                "setpriv",
                f"--inh-caps={without}",
                f"--bounding-set={without}",
                sys.executable,
                "-m",
                "collector",
            ],
            env=collector_environment(tmp_path / "state", carbon),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.returncode == 1, ended.stderr
    assert f"{tmp_path}/state" in ended.stderr
    assert "ermission denied" in ended.stderr
    assert b"grids.g.heartbeat.cloud_monitor" in b"".join(taken)
