"""Which process of this host holds a lock on a file, as the kernel tells in /proc/locks."""

from __future__ import annotations

from pathlib import Path


def read_lock_holders(path: Path, byte: int, proc: Path = Path("/proc")) -> list[int]:
    """Process numbers that have locked that byte for writing (fcntl); empty where there is none, or it cannot
    be known: the holder may run on another host, or in a container of its own.
    """
    try:
        inode = path.stat().st_ino
        lines = (proc / "locks").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        # 1: POSIX  ADVISORY  WRITE 1234 fe:01:5678 120 120
        fields = line.split()
        if len(fields) != 8 or fields[1] not in ("POSIX", "OFDLCK") or fields[3] != "WRITE":
            continue
        pid, place, start, end = int(fields[4]), fields[5], int(fields[6]), fields[7]
        covers = start <= byte and (end == "EOF" or byte <= int(end))
        if pid > 0 and covers and int(place.split(":")[2]) == inode and _may_have_open(proc, pid, path):
            found.append(pid)
    return found


def describe_process(pid: int, proc: Path = Path("/proc")) -> str:
    """`process 1234 (python -m worker run), which is stopped`; of one that is gone the number alone."""
    try:
        command = (proc / str(pid) / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
    except OSError:
        return f"process {pid}"
    named = f" ({command.decode(errors='replace')[:120]})" if command else ""
    return f"process {pid}{named}" + (", which is stopped" if is_stopped(pid, proc) else "")


def is_stopped(pid: int, proc: Path = Path("/proc")) -> bool:
    """By SIGSTOP, Ctrl-Z or a debugger."""
    try:
        state = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in ("T", "t")


def _may_have_open(proc: Path, pid: int, path: Path) -> bool:
    """Another file system may have the same inode number; whose files may not be looked at is believed."""
    try:
        return any(link.resolve() == path.resolve() for link in (proc / str(pid) / "fd").iterdir())
    except OSError:
        return True
