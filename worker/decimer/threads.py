"""Run one streaming function in several threads over one stream of inputs."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Input = TypeVar("Input")
Result = TypeVar("Result")


def run_threads(
    work: Callable[[Iterator[Input]], Iterator[Result]], inputs: Iterable[Input], threads: int
) -> Iterator[Result]:
    """Yield what each thread's `work` yields, in no order; what one raises ends all and is raised here.

    Results wait in a queue of bounded length; closing the generator stops the threads after the input they
    are at.
    """
    shared = _SharedStream(inputs)
    results: queue.Queue[Result | BaseException | None] = queue.Queue(maxsize=4 * threads)

    def run() -> None:
        try:
            for result in work(iter(shared)):
                results.put(result)
        except BaseException as error:  # noqa: BLE001 - raised again by the consumer
            results.put(error)
        finally:
            results.put(None)

    for number in range(threads):
        threading.Thread(target=run, name=f"recogniser-{number}", daemon=True).start()
    running = threads
    failure: BaseException | None = None
    try:
        while running:
            result = results.get()
            if result is None:
                running -= 1
            elif isinstance(result, BaseException):
                failure = failure or result
                shared.stop()
            elif failure is None:
                yield result
    finally:
        shared.stop()
        while running:  # the threads may be waiting to put
            running -= results.get() is None
    if failure:
        raise failure


class _SharedStream(Iterator[Input]):
    """One iterator for many threads; `stop` ends it for all."""

    def __init__(self, inputs: Iterable[Input]) -> None:
        self._inputs = iter(inputs)
        self._lock = threading.Lock()
        self._stopped = False

    def __next__(self) -> Input:
        with self._lock:
            if self._stopped:
                raise StopIteration
            return next(self._inputs)

    def stop(self) -> None:
        self._stopped = True
