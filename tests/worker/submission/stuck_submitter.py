"""`carry-out` over a listing that is stuck after so many directories, with what was listed in the queue."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from worker.listing import FLUSH_S
from worker.queue import open_queue
from worker.settings import AzureSettings, read_settings
from worker.storage import Directory, Storage, open_storage
from worker.submission.carry_out import Submitter

stopping = threading.Event()
stuck_after = int(sys.argv[1])


def open_stuck(url: str, settings: AzureSettings) -> Storage:
    storage = open_storage(url, settings)
    whole = storage.list_directories

    def listed(*options: Any) -> Iterator[Directory]:
        for number, directory in enumerate(whole(*options)):
            if number == stuck_after:
                stopping.wait(FLUSH_S + 0.2)  # by then the next directory is a reason to add
            if number == stuck_after + 1:
                stopping.wait()
            yield directory

    storage.list_directories = listed  # type: ignore[method-assign]
    return storage


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    settings = read_settings()
    host = sys.argv[-1].partition("=")[2]
    Submitter(open_queue(settings.queue_url), settings, host, stopping, open_stuck).run()
