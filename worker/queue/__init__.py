"""The queue: the only truth about work, in SQLite or PostgreSQL.

`open_queue(url)` gives a `Queue`. A *batch* is one `enqueue`; it holds *chunks*, each of at most N images of
one directory; every image ends with exactly one *result*. A worker's life with it:

    claim = queue.claim(worker="w1", host="vm3", engine="onnx", model="decimer-2 612f2b0a")
    if claim is None: ...                # nothing to do now
    for image in claim.images: ...       # without a result; quarantined ones first, each ALONE
    claim = queue.store(claim, results)  # every few images; renews the lease too
    claim = queue.renew(claim)           # while nothing is ready to be stored
    queue.finish(claim, usage, file)     # all images have a result; `file`: which stored file counts
    queue.release(claim, "drained")      # or: leaves in order; no failure is recorded
    queue.fail(claim, "StorageError: x") # or: a fault of the chunk: backoff, dead letter in the end

A claim is a lease by the database's clock with a fencing token, counted up by each claim of the chunk.
`claim.lease` says on this host's clock how long it is safe to go on; `renew`, `store` and `finish` raise
`LeaseLost` once the lease ran out, was taken over, or the chunk was cancelled: stop, keep nothing. Files are
put under chunk and token, and `finish` records the one that counts.

The supervisor calls `crash` for a worker that died (its lease is released at once; the images that were in
flight are quarantined; one that kills its worker twice alone gets a result with an error), `maintain` every
second or so (leases that ran out, deadlines that near or passed), `report_host`, `note_decision` and
`add_event`.

Every operation is retried over lost connections for `QueuePolicy.patience_s`, then raises
`QueueUnavailable`. `worker.queue.statistics` reads, and only reads, what monitoring shows.
"""

from worker.queue.chosen import ResultChoice
from worker.queue.model import (
    NO_NEED,
    Added,
    Batch,
    Claim,
    DecisionNote,
    HostReport,
    Lease,
    LeaseLost,
    MaintenanceRound,
    Outstanding,
    QueuedImage,
    QueueError,
    QueueRefused,
    QueueTarget,
    QueueUnavailable,
    Result,
    ResultRow,
    StatedNeed,
    Usage,
    UsageStatistics,
)
from worker.queue.policy import QueuePolicy
from worker.queue.queue import Queue, open_queue

__all__ = [
    "NO_NEED",
    "Added",
    "Batch",
    "Claim",
    "DecisionNote",
    "HostReport",
    "Lease",
    "LeaseLost",
    "MaintenanceRound",
    "Outstanding",
    "Queue",
    "QueueError",
    "QueuePolicy",
    "QueueRefused",
    "QueueTarget",
    "QueueUnavailable",
    "QueuedImage",
    "Result",
    "ResultChoice",
    "ResultRow",
    "StatedNeed",
    "Usage",
    "UsageStatistics",
    "open_queue",
]
