"""One worker process: takes chunk after chunk, until it is told to leave or decides to.

Threads share the work: the fetcher claims and downloads ahead, this one recognises, the keeper stores,
renews and finishes, the watch sees to signals, memory and the end. The recogniser never waits for database
or storage.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from worker.claiming import Claimer
from worker.fetcher import Fetched, Fetcher, Item
from worker.hands import Hands
from worker.jobqueue import Result, open_queue
from worker.keeper import Keeper
from worker.limits import gate_limits, queue_rules
from worker.needs import most_private_bytes
from worker.recognition import Recogniser, Recognition, SourceImage
from worker.settings import Settings
from worker.storage import StorageError, open_storage
from worker.temporary import TempFolder
from worker.vitals import VitalsPage
from worker.watch import Watch

log = logging.getLogger(__name__)

WAIT_S = 0.2  # for an image, before looking again whether to leave


def run_worker(
    name: str,
    host: str,
    parent: int,
    page: VitalsPage,
    settings: Settings,
    open_recogniser: Callable[[Settings], Recogniser],
) -> None:
    """Returns when the worker has left in order. An error of the recogniser as a whole is raised, with the
    results stored and the chunks still held, so that the supervisor can say which images were in flight.
    """
    leaving = threading.Event()
    hands = Hands(page)
    watch = Watch(hands, leaving, parent, most_private_bytes(settings), settings.drain_s)
    folder = TempFolder(Path(settings.temp_dir), name)
    watch.clean_up = folder.remove
    try:
        watch.start()
        recogniser = open_recogniser(settings)
        log.info("%s: engine %s, model %s is loaded", name, recogniser.engine, recogniser.model)
        queue = open_queue(settings.queue_url, queue_rules(settings))
        results = open_storage(settings.result_files_url, settings)
        keeper = Keeper(queue, results, hands, folder.path, settings)
        watch.give_up = keeper.close_all
        claimer = Claimer(name, host, queue, recogniser, hands, folder, gate_limits(settings), settings)
        fetcher = Fetcher(claimer, hands, folder.path, leaving, settings.ahead_images, settings.ahead_threads)
        hands.say("idle")
        keeper.start()
        fetcher.start()
        try:
            Line(recogniser, fetcher, hands, leaving).run()
        except BaseException:
            leaving.set()
            keeper.store_all()
            raise
        fetcher.stop()
        keeper.stop()
        for closing in (claimer, results, queue):
            closing.close()
        if fetcher.failure is not None:
            raise fetcher.failure
    finally:
        folder.remove()


class Line:
    """The recogniser with what goes into it and what comes out."""

    def __init__(
        self, recogniser: Recogniser, fetcher: Fetcher, hands: Hands, leaving: threading.Event
    ) -> None:
        self._recogniser = recogniser
        self._fetcher = fetcher
        self._hands = hands
        self._leaving = leaving
        self._in_flight: dict[str, tuple[Item, Fetched]] = {}
        self._next: Item | None = None

    def run(self) -> None:
        """Until leaving: suspects alone, all others in one stream for as long as there are any ready."""
        while not self._leaving.is_set():
            item = self._take(WAIT_S)
            if item is None:
                continue
            stream = iter([item]) if item.image.suspect else itertools.chain([item], self._others())
            for recognition in self._recogniser.recognise(self._images(stream)):
                self._answer(recognition)
            for key in list(self._in_flight):
                self._answer(Recognition(key, None, error="NoAnswer: the recogniser gave no answer"))

    def _take(self, timeout_s: float) -> Item | None:
        item, self._next = self._next, None
        return item or self._fetcher.next_item(timeout_s)

    def _others(self) -> Iterator[Item]:
        """What may join the stream. It ends when nothing is ready, or the recogniser would keep what it has
        half done; and before a suspect, which must be alone."""
        while not self._leaving.is_set():
            item = self._take(0 if self._in_flight else WAIT_S)
            if item is None or item.image.suspect:
                self._next = item
                return
            yield item

    def _images(self, items: Iterator[Item]) -> Iterator[SourceImage]:
        for item in items:
            fetched = self._fetched(item)
            if fetched is None:
                continue
            if fetched.error is not None:
                self._hands.answer(item.work, Result(item.image.number, None, error=fetched.error))
                continue
            self._in_flight[item.key] = (item, fetched)
            self._hands.start(item.work, item.image.number)
            yield SourceImage(item.key, fetched.path)

    def _fetched(self, item: Item) -> Fetched | None:
        """The downloaded image; None where its chunk is over, or is at fault for it."""
        try:
            fetched = item.fetched.result()
        except StorageError as error:
            item.work.fault = item.work.fault or str(error)
            return None
        except OSError as error:
            item.work.released = item.work.released or f"temporary storage: {error}"
            return None
        if item.work.over:
            fetched.path.unlink(missing_ok=True)
            return None
        return fetched

    def _answer(self, recognition: Recognition) -> None:
        item, fetched = self._in_flight.pop(recognition.key)
        fetched.path.unlink(missing_ok=True)
        self._hands.answer(
            item.work,
            Result(
                item.image.number,
                recognition.smiles,
                recognition.tokens,
                recognition.confidences,
                recognition.truncated,
                recognition.error,
                recognition.precision,
                fetched.sha256,
            ),
        )
