"""A worker process whose recogniser does what its images say: `python -m tests.worker.faults.faulty_worker`.

An image's bytes may be an order: `segfault`, `exit`, `hang`, `raise`, `leak`, `swell`, `slow`, `pause`,
`hold` (once: it stops itself in a write transaction of the queue), `descriptors` (once: a real decoder finds
none left). The
answer has as many carbons as the image has bytes (modulo MOST_CARBONS), so that it tells which image it was
made from. Loading takes FAULTY_LOAD_S seconds.
"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import time
from collections import deque
from collections.abc import Iterable, Iterator

from worker.__main__ import configure_logging
from worker.commands.work import recognise_with, worker_command
from worker.decimer.images.image_file import ImageLimits
from worker.decimer.images.preprocess import read_page
from worker.recognition import Recognition, SourceImage
from worker.settings import RunnerSettings, read_settings

SLOTS = 4
MOST_CARBONS = 1000
LEAK_BYTES = 20_000_000
SWOLLEN_BYTES = 400_000_000


class FaultyRecogniser:
    """Holds up to SLOTS images at a time, as the real engine does, and takes `stub_s` for each."""

    engine = "stub"
    model = "stub"
    precision = "full"

    def __init__(self, seconds_per_image: float) -> None:
        self._seconds_per_image = seconds_per_image
        self._leaked: list[bytes] = []

    def recognise(self, images: Iterable[SourceImage]) -> Iterator[Recognition]:
        waiting = iter(images)
        slots: deque[SourceImage] = deque()
        while True:
            while len(slots) < SLOTS and (image := next(waiting, None)) is not None:
                slots.append(image)
            if not slots:
                return
            yield self._read(slots.popleft())

    def _read(self, image: SourceImage) -> Recognition:
        content = image.path.read_bytes()
        match content:
            case b"segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            case b"exit":
                os._exit(3)
            case b"raise":
                raise RuntimeError("the recogniser broke")
            case b"hang":
                time.sleep(3600)
            case b"slow":
                time.sleep(30)
            case b"pause":
                time.sleep(6)
            case b"hold":
                hold_queue()
            case b"descriptors":
                read_without_descriptors(image)
            case b"leak":
                self._leaked.append(os.urandom(LEAK_BYTES))
            case b"swell":
                self._leaked.append(b"x" * SWOLLEN_BYTES)
                time.sleep(3600)
        time.sleep(self._seconds_per_image)
        size = len(content) % MOST_CARBONS
        return Recognition(image.key, "C" * size, ("C",) * size, (1.0,) * size)


def hold_queue() -> None:
    settings = read_settings()
    once = settings.state_dir / "held"
    if not once.exists():
        once.touch()
        connection = sqlite3.connect(settings.queue_url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        os.kill(os.getpid(), signal.SIGSTOP)


def read_without_descriptors(image: SourceImage) -> None:
    once = read_settings().state_dir / "read"
    if not once.exists():
        once.touch()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            read_page(image.path, ImageLimits(bytes=1_000, pixels=1_000))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def open_faulty(settings: RunnerSettings) -> FaultyRecogniser:
    time.sleep(float(os.environ.get("FAULTY_LOAD_S", "0")))
    return FaultyRecogniser(settings.stub_s)


if __name__ == "__main__":
    configure_logging("INFO")
    worker_command(recognise_with(open_faulty))(obj=read_settings())
