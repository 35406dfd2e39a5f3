"""`Queue`: what the rest of the fleet may ask of the database. Each method is one transaction, retried as a
whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial

from sqlalchemy import Connection

from worker.queue import attempts, claims, enqueue, hosts, maintenance, operator
from worker.queue.chosen import ResultChoice, read_all, read_chosen
from worker.queue.database.connections import Database
from worker.queue.database.migrate import bring_up_to_date, require_queue
from worker.queue.machines.lease import read_leave
from worker.queue.model import (
    NO_NEED,
    Added,
    Batch,
    Claim,
    DecisionNote,
    HostReport,
    Lease,
    MaintenanceRound,
    Outstanding,
    QueuedImage,
    QueueTarget,
    Result,
    ResultRow,
    StatedNeed,
    Usage,
    UsageStatistics,
    now_s,
)
from worker.queue.policy import QueuePolicy
from worker.queue.results import chunks_with_results, ended_files, read_results, readable_image
from worker.queue.statistics.outcome import Outcome, known_models, read_outcome


def open_queue(url: str, policy: QueuePolicy | None = None, make: bool = True) -> Queue:
    """`sqlite:///FILE` or `postgresql://...`; brings the schema up to date, and makes what is missing, unless
    without `make`.

    Raises QueueUnavailable; QueueError when there is no queue and none is to be made; QueueRefused when the
    schema is newer than this program.
    """
    policy = policy or QueuePolicy()
    if not make:
        with closing(Database(url, policy.patience_s, True, policy.waits_for_room)) as reader:
            require_queue(reader)
    database = Database(url, policy.patience_s, waits_for_room=policy.waits_for_room)
    bring_up_to_date(database)
    return Queue(database, policy)


class Queue:
    def __init__(self, database: Database, policy: QueuePolicy) -> None:
        self.database = database
        self.policy = policy

    def close(self) -> None:
        self.database.close()

    # enqueue

    def add_batch(
        self,
        name: str,
        source: str,
        priority: int | None = None,
        deadline: float | None = None,
        model: str | None = None,
        need: StatedNeed = NO_NEED,
    ) -> Batch:
        """The batch of that name, made when there is none. One that exists takes what is not None here, also
        for its chunks that are not done. Raises QueueRefused when it has another source.
        """
        return self.database.write(
            lambda connection: enqueue.add_batch(
                connection, self.policy, name, source, priority, deadline, model, need
            )
        )

    def add_directories(
        self, batch: Batch, directories: Sequence[enqueue.Listing], chunk_images: int
    ) -> Added:
        """Those images of the directories (path, names) that the batch does not have yet, in new chunks of at
        most `chunk_images` of one directory. All or none of them.
        """
        return self.database.write(
            lambda connection: enqueue.add_directories(
                connection, self.policy, batch, directories, chunk_images
            )
        )

    # a worker

    def claim(
        self,
        worker: str,
        host: str,
        engine: str,
        model: str,
        max_active: int | None = None,
        room: StatedNeed = NO_NEED,
    ) -> Claim | None:
        """The most urgent chunk, of those the nearest deadline, of those the oldest, among those of any model
        or this one and of batches that need no more than `room`; None when there is none, or when
        `max_active` chunks are active in the whole queue. Its images may be none (all have a result): then it
        is to be finished.
        """
        asked_at = now_s()
        row = self.database.write(
            lambda connection: claims.take_chunk(
                connection, self.policy, worker, host, engine, model, max_active, room
            )
        )
        if row is None:
            return None
        lease = Lease(asked_at + self.policy.lease_s)
        return self.database.read(lambda connection: claims.read_claim(connection, row, lease))

    def renew(self, claim: Claim) -> Claim:
        """The claim with a new lease. Raises LeaseLost."""
        return self.store(claim, ())

    def store(self, claim: Claim, results: Sequence[Result]) -> Claim:
        """Keeps the results and renews. An image that has a result keeps it. Raises LeaseLost."""
        asked_at = now_s()
        self.database.write(lambda connection: claims.store(connection, self.policy, claim, results))
        return claim.with_lease(Lease(asked_at + self.policy.lease_s))

    def add_pages(self, claim: Claim, image: QueuedImage, pages: int) -> tuple[QueuedImage, ...]:
        """A file has so many pages: the image is its first, the others are given. Raises LeaseLost."""
        return self.database.write(
            lambda connection: enqueue.add_pages(connection, claim, image.number, pages)
        )

    def stored(self, claim: Claim) -> list[ResultRow]:
        """All results of the claim's chunk, those of earlier claims too: what its file is written from."""
        return self.database.read(lambda connection: read_results(connection, [claim.chunk]))

    def readable_image(self, claim: Claim) -> str | None:
        """The key of an image of the claim's source that somebody could read; None where nobody has yet."""
        return self.database.read(lambda connection: readable_image(connection, claim.source))

    def finish(self, claim: Claim, usage: Usage, file: str | None = None) -> None:
        """The chunk is done; `file` is the stored file that counts.

        Raises LeaseLost; QueueRefused when images lack a result.
        """
        self.database.write(lambda connection: attempts.finish(connection, claim, usage, file))

    def release(self, claim: Claim, reason: str, usage: Usage | None = None) -> None:
        """Gives the chunk back in order (drained, SIGTERM): can be claimed at once, counts as no fault."""
        self.database.write(lambda connection: attempts.release(connection, claim, reason, usage))

    def fail(self, claim: Claim, error: str, usage: Usage | None = None) -> bool:
        """A fault of the chunk as a whole: claimed again after a backoff; failed after `QueuePolicy.attempts`
        of them without a result stored between. Whether it was given up so.
        """
        return self.database.write(
            lambda connection: attempts.fail(connection, self.policy, claim, error, usage)
        )

    # a supervisor

    def crash(
        self, chunk: int, token: int, in_flight: Sequence[int], error: str, is_cause: bool = True
    ) -> bool:
        """The worker that held the claim is dead: frees the chunk at once. The images in flight (by number)
        are quarantined; one that was in flight alone after that for the second time gets `error` as its
        result. With nothing in flight it is a failure of the chunk, as in `fail`. Unless the work `is_cause`
        (a worker may be killed from outside) no failure is recorded. Frees and records nothing when the lease
        was lost before. Whether the chunk was given up.
        """
        return self.database.write(
            lambda connection: attempts.crash(
                connection, self.policy, chunk, token, in_flight, error, is_cause
            )
        )

    def free(self, worker: str, error: str) -> None:
        """What a dead worker still holds after each `crash`: it died between a claim and the telling of it.
        No failure is recorded.
        """
        self.database.write(lambda connection: attempts.free(connection, worker, error))

    def maintain(self) -> MaintenanceRound:
        """Frees chunks whose lease ran out, raises priorities as deadlines near, marks missed deadlines,
        samples progress. Cheap, safe from any number of hosts at once; call it every second or so.
        """
        return self.database.write(lambda connection: maintenance.maintain(connection, self.policy))

    def outstanding(self, model: str | None = None) -> Outstanding:
        """`model`: what workers here have; None: any."""
        return self.database.read(lambda connection: claims.outstanding(connection, model))

    def outcome(self, model: str | None = None) -> Outcome:
        """What became of all images in the queue, seen by who has workers of that model."""
        return self.database.read(lambda connection: read_outcome(connection, model))

    def known_models(self) -> list[str]:
        return self.database.read(known_models)

    def active_chunks(self) -> int:
        """In the whole queue, for the gate."""
        return self.database.read(claims.count_active)

    def usage_statistics(self, engine: str) -> UsageStatistics | None:
        """What the last chunks done with the engine needed; None when none was done."""
        return self.database.read(lambda connection: attempts.usage_statistics(connection, engine))

    def leave_word(self, host: str) -> tuple[bool, float | None]:
        """(whether the machine manager has told that host to leave; seconds since there was a manager, None:
        never)
        """
        return self.database.read(lambda connection: read_leave(connection, host))

    def report_host(self, report: HostReport) -> None:
        self.database.write(lambda connection: hosts.report_host(connection, report))

    def note_decision(self, decision: DecisionNote) -> None:
        self.database.write(lambda connection: hosts.note_decision(connection, decision))

    def add_event(
        self, kind: str, message: str, host: str = "", worker: str = "", chunk: int | None = None
    ) -> None:
        """`kind`: spawned, held_back, drained, ...; the queue itself adds crashed, expired, failed, missed
        and what operators did.
        """
        self.database.write(
            lambda connection: hosts.add_event(connection, kind, message, host, worker, chunk)
        )

    # an operator

    def retry(self, target: QueueTarget, failed_images: bool = False) -> int:
        """Chunks that are pending again: failed and cancelled ones; with `failed_images` also those at an end
        with images whose result is an error, which is dropped. Raises QueueRefused, as all of these do, when
        there is no such target.
        """
        return self.database.write(lambda connection: operator.retry(connection, target, failed_images))

    def cancel(self, target: QueueTarget) -> int:
        """Chunks not at an end become cancelled; a worker on one notices with its next renewal."""
        return self.database.write(lambda connection: operator.cancel(connection, target))

    def pause(self, target: QueueTarget) -> int:
        """Chunks that are not claimed any more; those being worked on are finished."""
        return self.database.write(lambda connection: operator.set_paused(connection, target, True))

    def resume(self, target: QueueTarget) -> int:
        return self.database.write(lambda connection: operator.set_paused(connection, target, False))

    def note_export(self, batch: str | None) -> None:
        """All results of the batch, or of all, were written out: `prune` says what never was."""
        self.database.write(lambda connection: maintenance.note_export(connection, batch))

    def old_batches(self, older_than_s: float) -> list[maintenance.OldBatch]:
        """What `prune` would delete."""

        def run(connection: Connection) -> list[maintenance.OldBatch]:
            return maintenance.describe_old(connection, maintenance.old_batches(connection, older_than_s))

        return self.database.read(run)

    def prune(self, older_than_s: float) -> dict[str, int]:
        """Deletes batches at an end for so long with all that is theirs, old events, decisions, samples and
        silent hosts; gives the rows deleted by table.
        """
        counts: Counter[str] = Counter()
        old = self.database.read(lambda connection: maintenance.old_batches(connection, older_than_s))
        while chunk_ids := self.database.read(lambda connection: maintenance.some_chunks(connection, old)):
            counts.update(self.database.write(partial(maintenance.delete_chunks, chunk_ids=chunk_ids)))
        counts.update(self.database.write(lambda connection: maintenance.delete_batches(connection, old)))
        counts.update(
            self.database.write(lambda connection: maintenance.delete_notes(connection, older_than_s))
        )
        return dict(counts)

    def results(self, batch: str | None = None, have: Mapping[int, int] | None = None) -> Iterator[ResultRow]:
        """All, or a batch's, by chunk and image; without chunks that have no more of them than `have`."""
        return read_all(self.database, batch, have or {})

    def chosen_results(self, batch: str | None, choice: ResultChoice) -> Iterator[ResultRow]:
        """As `results`, of those that are chosen, in the order that is asked for."""
        return read_chosen(self.database, batch, choice)

    def result_counts(self, batch: str | None = None) -> list[tuple[int, int]]:
        """Chunks that have results, with how many."""
        return self.database.read(lambda connection: chunks_with_results(connection, batch))

    def ended_files(self) -> list[tuple[str, str | None]]:
        """Folders of chunks at an end with the key of the file that counts: what sweeping spares."""
        return self.database.read(ended_files)
