"""A fleet for tests: images, a queue, supervisors as real processes, and the check that nothing was lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.services.needs import need
from tests.services.support import PATIENCE_S, wait_until
from tests.worker.queue.helpers import queue_at
from worker.gate.temporary import lock_file
from worker.queue import Queue, ResultRow

ROOT = Path(__file__).parents[2]
RUN = (sys.executable, "-m", "worker", "run", "--until-empty")
FAULTY_RUN = (sys.executable, "-m", "tests.worker.faults.faulty_run")
FAULTY_STAY = (*FAULTY_RUN, "--stay")  # until it is asked to leave
EAGER = {  # a gate that a busy test machine cannot hold back
    "WORKER_CPU_THRESHOLD_PCT": "100",
    "WORKER_MEMORY_THRESHOLD_PCT": "100",
    "WORKER_MEMORY_DRAIN_PCT": "100",
    "WORKER_PRESSURE_MEMORY_PCT": "100",
    "WORKER_AVERAGE_S": "0.4",
    "WORKER_SAMPLE_S": "0.2",
    "WORKER_DECIMER_ENGINE": "stub",
    "WORKER_STUB_S": "0.02",
    "WORKER_STORE_S": "0.5",
    "WORKER_LEASE_S": "5",
    "WORKER_BACKOFF_S": "0.2",
    "WORKER_SCHEDULED_EVENTS_URL": "off",
    "WORKER_WARM_UP_GROUP": "off",
}


class Fleet:
    """Everything below `folder`; `environment` is what the processes are given beside EAGER."""

    def __init__(
        self, folder: Path, database_url: str = "", environment: dict[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.images = folder / "images"
        self.results = folder / "results"
        self.temp = folder / "temp"
        self.logs = folder / "state" / "logs"
        self.database_url = database_url or f"sqlite:///{folder / 'queue.db'}"
        self.source = str(self.images)
        self.environment = {
            "WORKER_DATABASE_URL": self.database_url,
            "WORKER_STORAGE_URL": str(self.images),
            "WORKER_RESULTS_URL": str(self.results),
            "WORKER_STATE_DIR": str(folder / "state"),
            "WORKER_TEMP_DIR": str(self.temp),
            **EAGER,
            **(environment or {}),
        }
        self.supervisors: list[subprocess.Popen[bytes]] = []
        self.contents: dict[str, bytes] = {}

    def add_images(self, directory: str, contents: Sequence[bytes]) -> None:
        """Files `00000.png` ... of a directory of the folder."""
        (self.images / directory).mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(contents):
            key = f"{directory}/{number:05}.png"
            self.contents[key] = content
            (self.images / key).write_bytes(content)

    def enqueue(self, chunk_images: int = 20) -> None:
        """All images so far, in one batch."""
        directories: dict[str, list[str]] = {}
        for key in self.contents:
            directory, _, name = key.rpartition("/")
            directories.setdefault(directory, []).append(name)
        queue = self.queue()
        batch = queue.add_batch("batch", self.source)
        queue.add_directories(batch, list(directories.items()), chunk_images)
        queue.close()

    def queue(self) -> Queue:
        return queue_at(self.database_url)

    def start(self, command: Sequence[str] = FAULTY_RUN, **environment: str) -> subprocess.Popen[bytes]:
        """A supervisor in a session of its own; its output goes to supervisor-N.log."""
        need("fleet")
        with (self.folder / f"supervisor-{len(self.supervisors)}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**self.full_environment(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.supervisors.append(process)
        return process

    def full_environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}

    def worker_pids(self) -> list[int]:
        """Live worker processes of this fleet, found by the temporary folder in their environment."""
        mark = f"WORKER_TEMP_DIR={self.temp}\0".encode()
        return [pid for pid in _processes_with(mark) if b"faulty_worker" in command_line(pid)]

    def all_pids(self) -> list[int]:
        return _processes_with(f"WORKER_TEMP_DIR={self.temp}\0".encode())

    def wait(self, process: subprocess.Popen[bytes], timeout_s: float = PATIENCE_S) -> int:
        """The supervisor's exit code; on a timeout its output is in the message."""
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout_s:g} s\n{self.said()}") from None

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """What the supervisor that was started last is to bring about; not waited for where it has ended."""
        log = self.folder / f"supervisor-{len(self.supervisors) - 1}.log"
        wait_until(condition, what, process=self.supervisors[-1], log=log)

    def said(self) -> str:
        """The end of each log, for a message."""
        return "\n".join(f"--- {name}\n{text[-3000:]}" for name, text in self._read_logs())

    def has_said(self, text: str) -> bool:
        return any(text in told for _, told in self._read_logs())

    def _read_logs(self) -> Iterator[tuple[str, str]]:
        """Name and text of each; the fleet takes away its oldest meanwhile."""
        for log in (*self.folder.glob("supervisor-*.log"), *self.logs.glob("*.log")):
            try:
                text = log.read_text(errors="replace")
            except FileNotFoundError:
                continue
            yield log.name, text

    def stop(self) -> None:
        for pid in self.all_pids():
            try:
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in self.supervisors:
            process.wait()

    def rows(self) -> list[ResultRow]:
        queue = self.queue()
        rows = list(queue.results())
        queue.close()
        return rows

    def check_all_once(self, failed: dict[str, str] | None = None) -> list[ResultRow]:
        """Every image has exactly one result, and it is its own; `failed` are the images (key to start of the
        error) that must have an error instead; nothing is left over anywhere. Gives the results.
        """
        failed = failed or {}
        rows = self.rows()
        counts = Counter(row.image for row in rows)
        assert set(counts) == set(self.contents), self.said()
        assert set(counts.values()) <= {1}
        for row in rows:
            if row.image in failed:
                assert row.result.error is not None
                assert row.result.error.startswith(failed[row.image]), row.result.error
            else:
                assert row.result.error is None, f"{row.image}: {row.result.error}\n{self.said()}"
                assert row.result.smiles == "C" * (len(self.contents[row.image]) % 1000)
        self.check_clean()
        return rows

    def check_clean(self) -> None:
        """The queue is empty, no process or temporary file is left, storage holds each result once."""
        queue = self.queue()
        left = queue.outstanding()
        counted = [key for _, key in queue.ended_files() if key is not None]
        queue.close()
        assert (left.pending, left.active) == (0, 0)
        assert self.all_pids() == []
        assert [path for path in self.temp.rglob("*") if path != lock_file(self.temp)] == []
        if self.results.exists():
            stored = sorted(str(path.relative_to(self.results)) for path in self.results.rglob("*.jsonl"))
            assert stored == sorted(counted)
            images = Counter(
                json.loads(line)["image"] for key in counted for line in (self.results / key).open()
            )
            assert images == Counter(list(self.contents))


def _processes_with(mark: bytes) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:  # gone meanwhile, or not ours
                continue
    return found


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
