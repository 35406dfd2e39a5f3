"""What the queue refuses or cannot do; each docstring is the sentence behind the message."""

from worker.errors import WorkerError


class QueueError(WorkerError):
    """Something about the queue; the message says what."""


class LeaseLost(QueueError):
    """The chunk is no longer held: the lease ran out, was released, or the chunk was cancelled. Nothing was
    written.
    """


class QueueRefused(QueueError):
    """What was asked for makes no sense: no such batch or chunk, a name taken by another source, a newer
    schema.
    """


class QueueUnavailable(QueueError):
    """The database could not be reached, or did not answer, for as long as the settings say to try."""
