"""One worker process: takes chunk after chunk, until it is told to leave or decides to.

Threads share the work: the fetcher claims and downloads ahead, this one recognises, the committer stores,
renews and finishes, the watchdog sees to signals, memory and the end. The recogniser never waits for database
or storage.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from cloud_monitor.system.text import describe_error
from worker.decimer.images.formats import may_have_pages
from worker.errors import HostFault
from worker.gate.limits import gate_limits, queue_policy
from worker.gate.resource_estimate import most_private_bytes
from worker.gate.temporary import TempFolder
from worker.queue import NO_NEED, Result, StatedNeed, open_queue
from worker.queue.statistics.figures import HELD_BACK
from worker.recognition import Recogniser, Recognition, SourceImage
from worker.runner.active_chunks import ActiveChunks
from worker.runner.claimer import Claimer
from worker.runner.committer import Committer
from worker.runner.fetched import FetchedImage, ImageRun, Pages, discard
from worker.runner.fetcher import Fetcher
from worker.runner.host_hold import HostHold, StorageTrial
from worker.runner.thumbnails import Thumbnails
from worker.runner.watchdog import Watchdog
from worker.runner.worker_status import EXIT_FAILED, WorkerStatusPage
from worker.settings import ImageSettings, RunnerSettings
from worker.storage import StorageError, open_storage
from worker.telemetry import open_telemetry

log = logging.getLogger(__name__)

WAIT_S = 0.2  # for an image, before looking again whether to leave
KEEP_TELEMETRY_S = 0.5  # to disk, where the process ends at once
SWITCH_S = 0.0005  # the recogniser's thread waits at most that long for the others to let it run


def run_worker(
    name: str,
    host: str,
    parent: int,
    page: WorkerStatusPage,
    settings: RunnerSettings,
    open_recogniser: Callable[[RunnerSettings], Recogniser],
    room: StatedNeed = NO_NEED,
) -> None:
    """`room`: it takes no chunk of a batch that needs more.

    Returns when the worker has left in order. An error of the recogniser as a whole ends the process, with
    the results stored and the chunks still held, so that the supervisor can say which images were in flight.
    """
    sys.setswitchinterval(SWITCH_S)
    leaving = threading.Event()
    active = ActiveChunks(page)
    watchdog = Watchdog(active, leaving, parent, most_private_bytes(settings, room), settings.drain_s)
    folder = TempFolder(Path(settings.temp_dir), name)
    telemetry = open_telemetry(settings, "worker", name)

    def clean_up() -> None:
        folder.remove()
        telemetry.close(KEEP_TELEMETRY_S)

    watchdog.clean_up = clean_up
    try:
        watchdog.start()
        recogniser = open_recogniser(settings)
        log.info("%s: engine %s, model %s is loaded", name, recogniser.engine, recogniser.model)
        queue = open_queue(settings.queue_url, queue_policy(settings))
        results = open_storage(settings.result_files_url, settings)
        hold = HostHold(settings.backoff_s, settings.backoff_most_s)
        trial = StorageTrial(queue.readable_image, folder.path)
        thumbnails = Thumbnails(folder.path)
        committer = Committer(queue, results, active, folder.path, hold, settings, thumbnails)
        watchdog.give_up = committer.close_all
        claimer = Claimer(
            name,
            host,
            queue,
            recogniser,
            active,
            folder,
            gate_limits(settings),
            settings,
            room,
            telemetry,
        )
        ahead = settings.ahead_images, settings.ahead_threads
        pages = Pages(page_counter(settings), queue.add_pages)
        fetcher = Fetcher(claimer, active, folder, leaving, hold, trial, *ahead, pages)
        active.set_state("idle")
        committer.start()
        fetcher.start()
        try:
            kept = thumbnails if settings.thumbnails else None
            RecognitionLoop(recogniser, fetcher, active, leaving, hold, kept).run()
        except BaseException:
            log.exception("the recogniser failed")
            leaving.set()
            try:
                committer.store_all()
            finally:
                watchdog.end(EXIT_FAILED)
        fetcher.stop()
        committer.stop()
        for closing in (thumbnails, claimer, results, queue):
            closing.close()
        if fetcher.failure is not None:
            raise fetcher.failure
    finally:
        folder.remove()
        telemetry.close()


def page_counter(settings: ImageSettings) -> Callable[[Path], int]:
    """1 of what cannot be read, which the recogniser will say, and of a file with more pages than are read,
    which has its note. Raises HostFault where this host cannot look into it now.
    """

    def count(path: Path) -> int:
        if not may_have_pages(path):
            return 1
        from worker.decimer.errors import ImageRefused
        from worker.decimer.images.image_file import ImageLimits, count_pages

        try:
            return count_pages(path, ImageLimits(settings.image_max_bytes, 0))
        except ImageRefused:
            return 1

    return count


class RecognitionLoop:
    """The recogniser with what goes into it and what comes out."""

    def __init__(
        self,
        recogniser: Recogniser,
        fetcher: Fetcher,
        active: ActiveChunks,
        leaving: threading.Event,
        hold: HostHold,
        thumbnails: Thumbnails | None = None,
    ) -> None:
        self._hold = hold
        self._thumbnails = thumbnails
        self._recogniser = recogniser
        self._fetcher = fetcher
        self._active = active
        self._leaving = leaving
        self._ready: deque[FetchedImage] = deque()
        self._in_flight: dict[str, FetchedImage] = {}

    def run(self) -> None:
        """Until leaving: quarantined images alone, all others in one stream while any are ready."""
        while not self._leaving.is_set():
            if not self._fill(WAIT_S):
                continue
            alone = self._ready[0].image.quarantined
            images = iter([self._ready.popleft()]) if alone else self._stream()
            try:
                for recognition in self._recogniser.recognise(self._sources(images)):
                    self._answer(recognition)
            except HostFault as fault:
                self._give_back(str(fault))
            for key in list(self._in_flight):
                self._answer(Recognition(key, None, error="NoAnswer: the recogniser gave no answer"))

    def _give_back(self, fault: str) -> None:
        """What the recogniser has, with its chunks: others, or this host later, can read it."""
        log.error("no image can be read: %s", fault)
        self._hold.hold(fault)
        while self._in_flight:
            _, fetched = self._in_flight.popitem()
            self._fetcher.tidy(fetched)
            fetched.chunk.set_released(f"{HELD_BACK}{fault}")
            self._active.drop_image(fetched.chunk, fetched.image.number)

    def _stream(self) -> Iterator[FetchedImage]:
        """What may join the stream. It ends when nothing is ready, or the recogniser would keep what it has
        half done; and before a quarantined image, which must be alone.
        """
        while not self._leaving.is_set() and self._fill(0 if self._in_flight else WAIT_S):
            if self._ready[0].image.quarantined:
                return
            yield self._ready.popleft()

    def _fill(self, timeout_s: float) -> bool:
        """Whether an image is ready, after waiting for the next run of them if need be."""
        while not self._ready:
            run = self._fetcher.next_run(timeout_s)
            if run is None:
                return False
            self._ready.extend(self._downloaded(run))
        return True

    def _downloaded(self, run: ImageRun) -> list[FetchedImage]:
        """The run's images; none where their chunk is over, or is at fault for not having them."""
        try:
            fetched = run.fetched.result()
        except StorageError:
            return []  # the fetcher has said whose fault it is
        except HostFault as fault:
            self._hold.hold(str(fault))
            run.chunk.set_released(f"{HELD_BACK}{fault}")
            return []
        except MemoryError:
            run.chunk.set_released("memory ran out")
            return []
        except OSError as error:
            run.chunk.set_released(f"temporary storage: {error}")
            return []
        except Exception as error:
            log.exception("%s", run.chunk.claim.name)
            run.chunk.set_fault(describe_error(error))
            return []
        if run.chunk.over:
            discard(fetched)
            return []
        return fetched

    def _sources(self, images: Iterator[FetchedImage]) -> Iterator[SourceImage]:
        for fetched in images:
            chunk, number = fetched.chunk, fetched.image.number
            if chunk.over:
                discard([fetched])
            elif fetched.error is not None:
                self._active.add_result(chunk, Result(number, None, error=fetched.error))
            else:
                key = f"{chunk.claim.chunk}.{chunk.claim.token}.{number}"
                self._in_flight[key] = fetched
                self._active.start_image(chunk, number)
                yield SourceImage(key, fetched.path, fetched.image.page)

    def _answer(self, recognition: Recognition) -> None:
        fetched = self._in_flight.pop(recognition.key)
        self._fetcher.tidy(fetched)
        if self._thumbnails is not None:  # before the result, which may be its chunk's last
            claim, number = fetched.chunk.claim, fetched.image.number
            self._thumbnails.add(claim, number, recognition.thumbnail, fetched.sha256)
        self._active.add_result(
            fetched.chunk,
            Result(
                fetched.image.number,
                recognition.smiles,
                recognition.tokens,
                recognition.confidences,
                recognition.truncated,
                recognition.error,
                recognition.precision,
                fetched.sha256,
                recognition.notes,
            ),
        )
