"""A clone to try `make run` in: the tracked files, with the packages that are installed in this tree."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.services.needs import need
from tests.services.support import PATIENCE_S, free_port, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
PORT_VARIABLES = ("PORT", "CARBON_PORT", "CARBON_QUERY_PORT", "GRAPHITE_PORT")


def copy_tracked(target: Path) -> None:
    """Copy what git tracks, as it stands in the work tree."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listing.decode().split("\0"):
        if name and (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def share_installed(target: Path) -> None:
    """Let the copy use the packages that are installed here, with a mark of its own that says so to make."""
    (target / ".venv").mkdir(parents=True)
    for entry in (ROOT / ".venv").iterdir():
        if not entry.name.startswith("ready"):
            (target / ".venv" / entry.name).symlink_to(entry)
    (target / ".venv/ready").touch()


class MakeRun:
    """`make run` in a copy, on ports of its own; `pids()` finds all it has started, however deep."""

    def __init__(self, copy: Path, target: str = "run", **variables: str) -> None:
        self.copy = copy
        self.state = copy / "state"
        self.ports = {name: free_port() for name in PORT_VARIABLES}
        self.variables = variables
        self.target = target
        self.log = copy.with_name(copy.name + ".log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.ports['PORT']}"

    @property
    def graphite(self) -> str:
        return f"http://127.0.0.1:{self.ports['GRAPHITE_PORT']}"

    @property
    def pid(self) -> int:
        """Process id of make; its process group is that of a terminal's foreground job."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        need("made")
        ports = {name: str(port) for name, port in self.ports.items()}
        # As from a shell: nothing of this make's own flags reaches the new one.
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
        }
        self._process = subprocess.Popen(
            ["make", self.target],
            cwd=self.copy,
            env=inherited | ports | {"STATE_DIR": str(self.state)} | self.variables,
            stdin=subprocess.DEVNULL,
            stdout=open(self.log, "ab"),  # noqa: SIM115
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def has_ended(self) -> bool:
        """Whether make has; `pids()` may not see yet what has just been started."""
        assert self._process is not None
        return self._process.poll() is not None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def pids(self) -> dict[int, str]:
        """Command line by process id of everything that carries this run's STATE_DIR in its environment."""
        mark = f"STATE_DIR={self.state}".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if command:  # a zombie has none
                        found[int(folder.name)] = command
            except OSError:
                continue
        return found

    def pid_of(self, part: str) -> int:
        """The process whose command line holds `part`, once there is exactly one: what a shell starts has the
        shell's own for a moment.
        """
        found: list[int] = []

        def is_one() -> bool:
            found[:] = [pid for pid, command in self.pids().items() if part in command]
            return len(found) == 1

        wait_until(is_one, f"one process of {part}")
        return found[0]

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Exit status of make once it has ended by itself."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def interrupt(self, with_signal: signal.Signals = signal.SIGINT) -> int:
        """What a terminal does at Ctrl-C (closing: SIGHUP): the signal goes to the whole foreground group."""
        os.killpg(self.pid, with_signal)
        return self.wait()

    def wait_gone(self, timeout_s: float = PATIENCE_S) -> None:
        wait_until(lambda: not self.pids(), f"end of every process, still there: {self.pids()}", timeout_s)

    def clean_up(self) -> None:
        """Kill whatever a failed test has left."""
        deadline = time.monotonic() + 10
        while (left := self.pids()) and time.monotonic() < deadline:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.1)
        if self._process is not None:
            self._process.wait(10)
