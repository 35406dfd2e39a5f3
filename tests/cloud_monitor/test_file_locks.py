"""Who holds a lock, by the kernel's own list."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from cloud_monitor.system.file_locks import describe_process, is_stopped, read_lock_holders
from tests.services.support import wait_until

HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX, 1, 120)
print("held", flush=True)
time.sleep(600)
"""


def test_the_holder_of_a_byte_is_named_and_whether_it_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert read_lock_holders(path, 120) == [holder.pid]
        assert read_lock_holders(path, 121) == []
        assert not is_stopped(holder.pid)
        os.kill(holder.pid, signal.SIGSTOP)
        wait_until(lambda: is_stopped(holder.pid), "the stop")
        assert describe_process(holder.pid).startswith(f"process {holder.pid} ({sys.executable} -c")
        assert describe_process(holder.pid).endswith(", which is stopped")
    finally:
        holder.kill()
        holder.wait()
        assert holder.stdout is not None
        holder.stdout.close()
    assert read_lock_holders(path, 120) == []
    assert describe_process(holder.pid) == f"process {holder.pid}"


def test_what_cannot_be_known_is_nobody(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert read_lock_holders(path, 0) == []
    path.write_bytes(b"")
    assert read_lock_holders(path, 0, proc=tmp_path) == []
    inode = path.stat().st_ino
    (tmp_path / "locks").write_text(
        f"1: POSIX  ADVISORY  WRITE 0 00:01:{inode} 0 EOF\n"
        f"2: POSIX  ADVISORY  READ 7 00:01:{inode} 0 EOF\n"
        f"2: -> POSIX  ADVISORY  WRITE 8 00:01:{inode} 0 EOF\n"
        f"3: FLOCK  ADVISORY  WRITE 9 00:01:{inode} 0 EOF\n"
        f"4: POSIX  ADVISORY  WRITE 10 00:01:{inode} 5 EOF\n"
    )
    assert read_lock_holders(path, 4, proc=tmp_path) == []
    assert read_lock_holders(path, 6, proc=tmp_path) == [10], "whose files may not be looked at is believed"
