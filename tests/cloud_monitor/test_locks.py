"""One of many holds a lock; no child keeps its parent's, whenever it was forked."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

from cloud_monitor.system.locks import take_lock

FORKS = 200


def test_one_has_it_until_it_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    lock = take_lock(path)
    assert lock is not None
    assert take_lock(path) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lock.release()
    lock.release()
    again = take_lock(path)
    assert again is not None
    again.release()


def test_a_child_that_lives_on_does_not_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    lock = take_lock(path)
    assert lock is not None
    ready, begun = os.pipe()
    if not (child := os.fork()):
        lock.release()  # not the child's: it does nothing
        os.write(begun, b"1" if take_lock(path) is None else b"0")
        signal.pause()
        os._exit(0)
    try:
        assert os.read(ready, 1) == b"1"
        assert take_lock(path) is None
        lock.release()
        freed = take_lock(path)
        assert freed is not None
        freed.release()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(begun)


def test_no_moment_of_taking_it_is_one_to_be_forked_in(tmp_path: Path) -> None:
    """In a process of its own, which is small and so quickly forked."""
    command = [sys.executable, "-c", _FORKING, str(tmp_path / "a.lock"), str(FORKS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == ("0 kept\n", 0), ended.stderr


_FORKING = """
import os, sys, threading
from pathlib import Path
from cloud_monitor.system.locks import take_lock

path, stop, taken = Path(sys.argv[1]), threading.Event(), []

def take_and_release():
    while not stop.is_set():
        if lock := take_lock(path):
            taken.append(1)
            lock.release()

def has_open():
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{descriptor}") == str(path):
                return True
        except OSError:  # that of the listing itself
            continue
    return False

threads = [threading.Thread(target=take_and_release) for _ in range(2)]
for thread in threads:
    thread.start()
kept = 0
for _ in range(int(sys.argv[2])):
    if not (child := os.fork()):
        os._exit(int(has_open()))
    kept += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
stop.set()
for thread in threads:
    thread.join()
assert taken
print(kept, "kept")
"""
