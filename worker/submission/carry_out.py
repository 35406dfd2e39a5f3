"""Carries out what was submitted from outside: one submission after the other, each under a lease that others
take over when this process dies. What it had added by then is not added again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain

from cloud_monitor.system.text import counted, describe_error
from worker.errors import WorkerError
from worker.listing import Enqueued, enqueue
from worker.queue import Added, Batch, Queue, QueueRefused, QueueUnavailable
from worker.queue.batch_wishes.wishes import BatchWish, check_batch_wish
from worker.queue.batch_wishes.work import (
    WishHeld,
    WishLost,
    add_piece,
    begin_submission,
    finish_submission,
    keep_submission,
    read_sources,
    record_fault,
    refuse_submission,
    release_submission,
    take_submission,
    waiting_submissions,
)
from worker.queue.enqueue import Listing
from worker.settings import AzureSettings, SupervisorSettings
from worker.storage import Directory, Storage, StorageError, open_storage
from worker.storage.base import IMAGE_SUFFIXES
from worker.storage.open import results_below
from worker.submission.sources import SourceRefused, may_be_of_another, resolve_submitted

log = logging.getLogger(__name__)


class _AskedToLeave(Exception):
    """This process was asked to leave."""


class Submitter:
    """`stopping` is set to have it leave; what it is at is given back."""

    def __init__(
        self,
        queue: Queue,
        settings: SupervisorSettings,
        host: str,
        stopping: threading.Event,
        open_source: Callable[[str, AzureSettings], Storage] = open_storage,
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._host = host
        self._stopping = stopping
        self._open_source = open_source
        self._lease_s = settings.lease_s
        self._refused = 0  # before anything was listed

    def run(self) -> int:
        """All that wait and are for this host; how many were done or refused. Raises QueueUnavailable."""
        taken = 0
        while not self._stopping.is_set() and (found := self._next()) is not None:
            taken += 1
            wish, url = found
            log.info("submitting %s from %s for %s (wish %d)", wish.batch, url, wish.asked_by, wish.id)
            self._carry_out(wish, url)
        return taken + self._refused

    def _next(self) -> tuple[BatchWish, str] | None:
        """Taken, with where its pictures are. Those that no host may take are refused on the way."""
        read = self._queue.database.read
        for wish in read(waiting_submissions):
            try:
                url = self._resolve(wish)
            except WorkerError as error:
                others = read(read_sources).values()
                own = self._settings.submit_sources
                if any(may_be_of_another(wish.source, prefixes) for prefixes in others if prefixes != own):
                    continue
                if (taken := self._take(wish)) is not None:
                    self._refuse(taken, str(error))
                    self._refused += 1
                continue
            if (taken := self._take(wish)) is not None:
                return taken, url
        return None

    def _resolve(self, wish: BatchWish) -> str:
        """Raises QueueRefused, SourceRefused."""
        check_batch_wish(wish)  # whoever may insert rows may have left out what add_batch_wish looks at
        return resolve_submitted(wish.source, self._settings.submit_sources)

    def _take(self, wish: BatchWish) -> BatchWish | None:
        return self._queue.database.write(
            lambda connection: take_submission(connection, wish, self._host, self._lease_s)
        )

    def _refuse(self, wish: BatchWish, why: str) -> None:
        log.info("refused: wish %d: %s", wish.id, why)
        self._queue.database.write(partial(refuse_submission, wish=wish, why=why, host=self._host))

    @contextmanager
    def _kept(self, wish: BatchWish) -> Iterator[None]:
        """Renewed while a listing is slow, and no more when its end is written."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(self._lease_s / 3):
                with suppress(WishLost, QueueUnavailable):  # the next piece finds out
                    self._queue.database.write(
                        lambda connection: keep_submission(connection, wish, self._lease_s)
                    )

        thread = threading.Thread(target=renew, name="wish lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _carry_out(self, wish: BatchWish, url: str) -> None:
        write = self._queue.database.write
        try:
            with self._kept(wish):
                self._submit(wish, url)
        except WishLost as error:
            log.info("%s", error)
        except (WishHeld, _AskedToLeave) as error:
            log.info("wish %d is given back: %s", wish.id, error)
            write(partial(release_submission, wish=wish))
        except (SourceRefused, QueueRefused) as error:
            self._refuse(wish, str(error))
        except (
            WorkerError,
            OSError,
        ) as error:  # storage away meanwhile, a full disk, limits of this process
            log.warning("wish %d: %s", wish.id, error)
            write(partial(record_fault, wish=wish, fault=str(error)))
            if isinstance(error, QueueUnavailable):
                raise
        except Exception as error:
            log.exception("wish %d", wish.id)
            write(partial(record_fault, wish=wish, fault=describe_error(error)))

    def _submit(self, wish: BatchWish, url: str) -> None:
        storage = self._open_source(url, self._settings)
        try:
            directories = self._until_stopped(
                storage.list_directories(lambda path: path == results_below(url, self._settings))
            )
            first = self._first(wish, storage, directories)
            batch = self._queue.database.write(
                lambda connection: begin_submission(connection, wish, url, self._lease_s)
            )
            enqueue(partial(self._add, wish, batch), chain([first], directories), partial(self._tell, wish))
            note = unlisted_text(storage.unlisted)
        finally:
            storage.close()
        outcome = self._queue.database.write(
            lambda connection: finish_submission(connection, wish, batch, note, self._host)
        )
        log.info("submitted %s: %s", wish.batch, outcome)

    def _first(self, wish: BatchWish, storage: Storage, directories: Iterator[Directory]) -> Directory:
        """Raises SourceRefused: a source that cannot be read at all is refused at once, unless it could be
        before.
        """
        try:
            first = next(directories, None)
        except StorageError as error:
            if wish.batch_id is None:
                raise SourceRefused(f"{error}: make it readable for this host's supervisor") from None
            raise
        if first is None:
            looked = " ".join(sorted(IMAGE_SUFFIXES))
            note = unlisted_text(storage.unlisted)
            raise SourceRefused(f"no pictures in {wish.source} (looked for {looked}){note}")
        return first

    def _until_stopped(self, directories: Iterable[Directory]) -> Iterator[Directory]:
        for directory in directories:
            if self._stopping.is_set():
                raise _AskedToLeave("this supervisor leaves")
            yield directory

    def _add(self, wish: BatchWish, batch: Batch, directories: Sequence[Listing]) -> Added:
        return self._queue.database.write(
            lambda connection: add_piece(
                connection,
                self._queue.policy,
                wish,
                batch,
                directories,
                self._settings.chunk_images,
                self._lease_s,
            )
        )

    def _tell(self, wish: BatchWish, so_far: Enqueued) -> None:
        said = f"{so_far.images:,} pictures in {so_far.directories:,} directories so far"
        self._queue.database.write(lambda connection: keep_submission(connection, wish, self._lease_s, said))


def unlisted_text(unlisted: Sequence[str]) -> str:
    if not unlisted:
        return ""
    more = ", ..." if len(unlisted) > 1 else ""
    return f"; {counted(len(unlisted), 'directory', 'directories')} could not be listed: {unlisted[0]}{more}"
