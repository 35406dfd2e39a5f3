"""Pages of a PDF as pictures, by PDFium (extra `pages`) in a process of its own, whose time and memory are
bounded; it is started for the first PDF, and again after one that ended it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from worker.decimer.errors import (
    REFUSALS,
    DamagedImage,
    ImageRefused,
    NotAnImage,
    TooComplex,
)
from worker.errors import HostFault

CPU_S = 20.0  # for a page; nearly all take less than 0.2
MEMORY_BYTES = 1_000_000_000  # for what is on a page, beside PDFium itself
MOST_ENDS = 3  # pages of a file that are too much; the others are not tried, or thousands would take days
START_PAUSES_S = (0.2, 0.8, 2.0)  # before a process that could not be started is tried again
KEPT_FILES = 1_000  # of which that is known
PROGRAM = "worker.decimer.images.pdf_process"
ROOT = Path(__file__).parents[3]  # where the program is found, whatever the working directory
# What a Python needs to start: a process that reads strangers' files is told none of this one's secrets.
_ENVIRONMENT = ("PATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")


def count_pdf_pages(path: Path) -> int:
    """Raises NotAnImage where PDFium is not installed or the file asks for a password; DamagedImage;
    TooComplex; HostFault where the process cannot be started.
    """
    said, _ = _READER.ask({"path": os.fspath(path)})
    return int(said["pages"])


def render_page(path: Path, number: int, most_pixels: int, longest_side: int) -> tuple[Image.Image, int]:
    """The page in grey, at 300 dots an inch, or fewer where it would be larger than it may be, and how many
    pages there are. Raises MissingImage when there is no such page, and as `count_pdf_pages`.
    """
    said, pixels = _READER.ask(
        {"path": os.fspath(path), "page": number, "pixels": most_pixels, "side": longest_side}
    )
    size = said["width"], said["height"]
    image = Image.frombuffer("L", size, pixels, "raw", "L", said["stride"], 1)
    return image, int(said["pages"])


class PdfReader:
    """PDFium in its process: one for all threads, which take turns."""

    def __init__(
        self,
        cpu_s: float = CPU_S,
        memory_bytes: int = MEMORY_BYTES,
        start_pauses_s: Sequence[float] = START_PAUSES_S,
    ) -> None:
        self._cpu_s, self._memory_bytes = cpu_s, memory_bytes
        self._start_pauses_s = start_pauses_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ends: dict[str, int] = {}  # by file

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """As pdf_process.py has it. Raises ImageRefused; a request that ends the process is refused, and the
        next has a new one. Where somebody else ended it (a host without memory) it is tried once more.
        """
        path = request["path"]
        with self._lock:
            if self._ends.get(path, 0) >= MOST_ENDS:
                raise TooComplex(f"PDF: not tried, {MOST_ENDS} other pages of the file were too much")
            said, pixels, code = self._try(request)
            if code == -signal.SIGKILL:
                said, pixels, code = self._try(request)
            if code is not None:
                self._note_end(path)
                raise self._explain_end(code)
        if "error" in said:
            raise REFUSALS[said["error"]](said["text"])
        return said, pixels

    def _try(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes, int | None]:
        """The answer; or what the process ended by."""
        process = self._process = self._process or self._start()
        try:
            return *_exchange(process, request), None
        except (OSError, EOFError, ValueError):
            self._process = None
            return {}, b"", _end(process)

    def _start(self) -> subprocess.Popen[bytes]:
        if importlib.util.find_spec("pypdfium2") is None:
            raise NotAnImage("PDF is not read without pypdfium2: pip install 'cloud-monitor[pages]'")
        for pause_s in self._start_pauses_s:
            with suppress(OSError):
                return self._open()
            time.sleep(pause_s)
        try:
            return self._open()
        except OSError as error:  # a host out of memory, processes or open files
            raise HostFault(f"PDF: its reader cannot be started ({error.strerror or error})") from None

    def _open(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        return subprocess.Popen(
            [sys.executable, "-P", "-m", PROGRAM, str(self._cpu_s), str(self._memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            | {"PYTHONPATH": path},
        )

    def _note_end(self, path: str) -> None:
        if len(self._ends) >= KEPT_FILES:
            del self._ends[next(iter(self._ends))]
        self._ends[path] = self._ends.get(path, 0) + 1

    def _explain_end(self, code: int) -> ImageRefused:
        if code == -signal.SIGPROF:
            return TooComplex(f"PDF: more than {self._cpu_s:g} s of CPU")
        if code < 0:
            name = signal.Signals(-code).name
            return TooComplex(f"PDF: more than {self._memory_bytes // 10**6:,} MB, or PDFium failed ({name})")
        return DamagedImage(f"PDF: its reader ended with code {code}")


def _exchange(process: subprocess.Popen[bytes], request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Raises OSError, EOFError or ValueError where the process ended meanwhile."""
    to, back = process.stdin, process.stdout
    assert to is not None
    assert back is not None
    to.write(json.dumps(request).encode() + b"\n")
    to.flush()
    said: dict[str, Any] = json.loads(back.readline())
    size = said.get("height", 0) * said.get("stride", 0)
    pixels = back.read(size)
    if len(pixels) < size:
        raise EOFError
    return said, pixels


def _end(process: subprocess.Popen[bytes]) -> int:
    """By what it ended: it has, or does so when nobody asks it any more."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was not written yet
                pipe.close()
    return process.wait()


_READER = PdfReader()
