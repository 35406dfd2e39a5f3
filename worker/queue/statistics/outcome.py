"""What became of the images, for whoever waits for the end of the queue: recognised, with an error of their
own, or left, and then why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, case, func, select

from worker.queue.claims import readable_with
from worker.queue.database.sql import error_kind
from worker.queue.schema import ACTIVE, CANCELLED, FAILED, PENDING, attempts, batches, chunks, results

NOT_ITS_OWN = frozenset({"NoAnswer"})  # kinds of error that no image is the cause of


@dataclass(frozen=True, slots=True)
class BatchLeft:
    """A batch's images without a result: given up, cancelled, paused, waiting or being worked on; of those
    that wait, `unreadable` ask for a model that is not the one asked about.
    """

    batch: str
    model: str | None
    given_up: int = 0
    cancelled: int = 0
    paused: int = 0
    unreadable: int = 0
    waiting: int = 0
    active: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    total: int  # images
    recognised: int
    errors: Mapping[str, int] = field(default_factory=dict)  # images by kind of error
    left: tuple[BatchLeft, ...] = ()  # batches with images that have no result

    @property
    def is_complete(self) -> bool:
        """Every image has a SMILES or an error of its own."""
        return not self.left and not NOT_ITS_OWN & set(self.errors)


def read_outcome(connection: Connection, model: str | None) -> Outcome:
    """Of all images in the queue. `model` is the one that workers here have; None: not known, or any."""
    readable = case((readable_with(model), 1), else_=0)
    query = (
        select(
            batches.c.name,
            batches.c.model,
            chunks.c.state,
            chunks.c.paused,
            readable.label("readable"),
            func.sum(chunks.c.images_total).label("images"),
            func.sum(chunks.c.images_done).label("with_result"),
        )
        .join(batches, batches.c.id == chunks.c.batch_id)
        .group_by(batches.c.id, chunks.c.state, chunks.c.paused, readable)
        .order_by(batches.c.id)
    )
    total = with_result = 0
    left: dict[str, dict[str, int]] = {}
    models: dict[str, str | None] = {}
    for row in connection.execute(query):
        total += int(row.images)
        with_result += int(row.with_result)
        missing = int(row.images - row.with_result)
        if missing:
            counts = left.setdefault(row.name, {})
            what = _why(row.state, bool(row.paused), bool(row.readable))
            counts[what] = counts.get(what, 0) + missing
            models[row.name] = row.model
    kind = error_kind(results.c.error)
    failures = select(kind, func.count()).where(results.c.error.is_not(None)).group_by(kind).order_by(kind)
    errors = {str(name): int(count) for name, count in connection.execute(failures)}
    return Outcome(
        total=total,
        recognised=with_result - sum(errors.values()),
        errors=errors,
        left=tuple(BatchLeft(batch, models[batch], **counts) for batch, counts in left.items()),
    )


def _why(state: str, paused: bool, readable: bool) -> str:
    if state == PENDING:
        return "paused" if paused else "waiting" if readable else "unreadable"
    return {ACTIVE: "active", FAILED: "given_up", CANCELLED: "cancelled"}.get(state, "waiting")


def known_models(connection: Connection) -> list[str]:
    """Those that workers of this queue have claimed chunks with."""
    return list(connection.execute(select(attempts.c.model).distinct().order_by(attempts.c.model)).scalars())


def outcome_text(outcome: Outcome, model: str | None) -> list[str]:
    """The sum in a line, then one for each batch of which something is left."""
    lines = [finished_text(outcome.total, outcome.recognised, outcome.errors)]
    for left in outcome.left:
        asked = f"asks for the model {left.model}, which no worker here has"
        reasons = (
            (left.given_up, "given up: `status` has the errors, `retry` tries again"),
            (left.cancelled, "cancelled: `retry` puts them back"),
            (left.paused, "paused: `resume` lets them go on"),
            (left.unreadable, asked + (f" ({model})" if model else "")),
            (left.waiting, "waiting"),
            (left.active, "being worked on"),
        )
        lines += [f"batch {left.batch}: {count:,} images not done: {why}" for count, why in reasons if count]
    return lines


def finished_text(total: int, recognised: int, errors: Mapping[str, int], at_least: bool = False) -> str:
    """`at_least`: files are left that may have more pages than one.

    `400 of 400 images finished: 340 recognised, 60 with an error (50 BlankImage, 10 WorkerCrash)`
    """
    failed = sum(errors.values())
    of = f"{'at least ' * at_least}{total:,}"
    text = f"{recognised + failed:,} of {of} images finished: {recognised:,} recognised"
    if not failed:
        return text
    most_first = sorted(errors.items(), key=lambda item: -item[1])
    by_kind = ", ".join(f"{count:,} {kind}" for kind, count in most_first)
    return f"{text}, {failed:,} with an error ({by_kind})"
