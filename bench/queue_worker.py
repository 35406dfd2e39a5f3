"""A worker of the queue's benchmark: the real one, with the stub engine and a stopwatch on what it waits for.

`python -m bench.queue_worker --run` is a supervisor of such workers; without it, a worker.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from worker.__main__ import configure_logging
from worker.commands.run import supervise
from worker.commands.work import worker_command
from worker.queue import Queue, StatedNeed
from worker.recognition import Recognition, SourceImage
from worker.runner.claimer import Claimer
from worker.runner.runner import run_worker
from worker.runner.worker_status import WorkerStatusPage
from worker.settings import Settings, read_settings


class Stopwatch:
    """Seconds of every call, in order, and when the last one of each name ended."""

    def __init__(self) -> None:
        self.spans_s: dict[str, list[float]] = {}
        self.ended_s: dict[str, float] = {}

    def on(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        spans_s = self.spans_s.setdefault(name, [])

        def timed(*arguments: Any, **options: Any) -> Any:
            started_s = time.perf_counter()
            try:
                return method(*arguments, **options)
            finally:
                self.ended_s[name] = time.perf_counter()
                spans_s.append(self.ended_s[name] - started_s)

        return timed


class TimedStub:
    """The stub engine; `stub_s` is what its sleeping took, which is a little more than was asked for."""

    engine = "stub"
    model = "stub"
    precision = "full"

    def __init__(self, seconds_per_image: float) -> None:
        self._seconds_per_image = seconds_per_image
        self.images = 0
        self.stub_s = 0.0
        self.ready_s = time.perf_counter()

    def recognise(self, images: Iterable[SourceImage]) -> Iterator[Recognition]:
        for image in images:
            started_s = time.perf_counter()
            time.sleep(self._seconds_per_image)
            self.stub_s += time.perf_counter() - started_s
            self.images += 1
            yield Recognition(image.key, "C", ("C",), (1.0,))


def work(
    settings: Settings, name: str, host: str, parent: int, page: WorkerStatusPage, room: StatedNeed
) -> None:
    """Leaves what it measured in the state folder."""
    watch = Stopwatch()
    stub = TimedStub(settings.stub_s)
    for owner, method in ((Queue, "claim"), (Queue, "store"), (Claimer, "_claim"), (Queue, "finish")):
        setattr(owner, method, watch.on(method, getattr(owner, method)))
    run_worker(name, host, parent, page, settings, lambda _: stub, room)
    measured = {
        "images": stub.images,
        "stub_s": stub.stub_s,
        "wall_s": watch.ended_s["finish"] - stub.ready_s,
        "claim_s": watch.spans_s["claim"],
        "store_s": watch.spans_s["store"],
        "admission_s": watch.spans_s["_claim"],
    }
    (settings.state_dir / f"{name}.measured.json").write_text(json.dumps(measured))


if __name__ == "__main__":
    configure_logging("INFO")
    if "--run" in sys.argv:
        supervise(read_settings(), [sys.executable, "-m", "bench.queue_worker"], until_empty=True)
    else:
        worker_command(work)(obj=read_settings())
