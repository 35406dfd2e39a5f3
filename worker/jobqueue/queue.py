"""`Queue`: what the rest of the fleet may ask of the database. Each method is one transaction, retried as a
whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from worker.jobqueue.values import (
    Added,
    Batch,
    Claim,
    DecisionNote,
    HostReport,
    Outstanding,
    Result,
    ResultRow,
    Rules,
    Target,
    Tended,
    Usage,
)


def open_queue(url: str, rules: Rules | None = None) -> Queue:
    """`sqlite:///FILE` (made when missing) or `postgresql://...`; brings the schema up to date.

    Raises QueueUnavailable, or Refused when the schema is newer than this program.
    """
    raise NotImplementedError


class Queue:
    rules: Rules

    def close(self) -> None: ...

    # enqueue

    def add_batch(
        self, name: str, source: str, priority: int | None, deadline: float | None, model: str | None
    ) -> Batch:
        """The batch of that name, made when there is none. One that exists takes what is not None here, also
        for its chunks that are not at an end. Raises Refused when it has another source.
        """
        raise NotImplementedError

    def add_directory(self, batch: Batch, directory: str, names: Sequence[str], chunk_images: int) -> Added:
        """Those images of the directory that the batch does not have yet, in new chunks of at most
        `chunk_images`.
        """
        raise NotImplementedError

    # a worker

    def claim(
        self, worker: str, host: str, engine: str, model: str, max_active: int | None = None
    ) -> Claim | None:
        """The most urgent chunk, of those the nearest deadline, of those the oldest; None when there is none,
        or when `max_active` chunks are active in the whole queue.
        """
        raise NotImplementedError

    def renew(self, claim: Claim) -> Claim:
        """The claim with a new lease. Raises LeaseLost."""
        raise NotImplementedError

    def store(self, claim: Claim, results: Sequence[Result]) -> Claim:
        """Keeps the results and renews. An image that has a result keeps it. Raises LeaseLost."""
        raise NotImplementedError

    def stored(self, claim: Claim) -> list[ResultRow]:
        """All results of the claim's chunk, those of earlier claims too: what its file is written from."""
        raise NotImplementedError

    def finish(self, claim: Claim, usage: Usage, file: str | None = None) -> None:
        """The chunk is done; `file` is the stored file that counts. Raises LeaseLost; Refused when images
        lack a result.
        """
        raise NotImplementedError

    def release(self, claim: Claim, reason: str, usage: Usage | None = None) -> None:
        """Gives the chunk back in order (drained, SIGTERM): can be claimed at once, counts as no fault."""
        raise NotImplementedError

    def fail(self, claim: Claim, error: str, usage: Usage | None = None) -> None:
        """A fault of the chunk as a whole: claimed again after a backoff, failed after `attempts` without
        progress.
        """
        raise NotImplementedError

    # a supervisor

    def crash(self, chunk: int, token: int, in_flight: Sequence[int], error: str, blame: bool = True) -> None:
        """The worker that held the claim is dead: frees the chunk at once. The images in flight (by number)
        become suspects; a suspect that was in flight alone for the second time gets `error` as its result.
        With nothing in flight it is a fault of the chunk, as in `fail`. Does nothing when the lease was
        lost already.
        """
        raise NotImplementedError

    def tend(self) -> Tended:
        """Frees chunks whose lease ran out, raises priorities as deadlines near, marks missed deadlines,
        samples progress. Cheap, safe from any number of hosts at once; call it every second or so.
        """
        raise NotImplementedError

    def outstanding(self) -> Outstanding:
        raise NotImplementedError

    def active_chunks(self) -> int:
        """In the whole queue, for the gate."""
        raise NotImplementedError

    def learned_peak_bytes(self, engine: str) -> int | None:
        """The largest peak memory of the last chunks done with the engine; None when none was."""
        raise NotImplementedError

    def report_host(self, report: HostReport) -> None:
        raise NotImplementedError

    def note_decision(self, decision: DecisionNote) -> None:
        raise NotImplementedError

    def add_event(
        self, kind: str, message: str, host: str = "", worker: str = "", chunk: int | None = None
    ) -> None:
        """`kind`: spawned, held_back, crashed, drained, ...; the queue itself adds claimed chunks' ends."""
        raise NotImplementedError

    # an operator

    def retry(self, target: Target, failed_images: bool = False) -> int:
        """Chunks that are pending again: failed and cancelled ones; with `failed_images` also done ones with
        images whose result is an error, which is dropped. Raises Refused, as all of these do, when there
        is no such target.
        """
        raise NotImplementedError

    def cancel(self, target: Target) -> int:
        """Chunks not at an end become cancelled; a worker on one notices with its next renewal."""
        raise NotImplementedError

    def pause(self, target: Target) -> int:
        """Chunks that are not claimed any more; those being worked on are finished."""
        raise NotImplementedError

    def resume(self, target: Target) -> int:
        raise NotImplementedError

    def prune(self, older_than_s: float) -> dict[str, int]:
        """Deletes batches at an end for so long with all that is theirs, old events, decisions and silent
        hosts; gives the rows deleted by table.
        """
        raise NotImplementedError

    def results(self, batch: str | None = None) -> Iterator[ResultRow]:
        """All results, or those of a batch, ordered by chunk and image, streamed."""
        raise NotImplementedError

    def finished_files(self) -> Iterator[tuple[int, str | None]]:
        """Chunks at an end with the file that counts, for sweeping storage."""
        raise NotImplementedError
