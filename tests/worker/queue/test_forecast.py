"""When batches will be ready: one after the other in the order of their claims, at the present pace."""

from __future__ import annotations

from worker.queue.statistics.figures import Forecast, forecast
from worker.queue.statistics.queue import BatchFigures, ChunkFigures, QueueFigures

AT = 1_000.0
NONE = {"pending": 0, "active": 0, "done": 0, "failed": 0, "cancelled": 0}


def batch(
    name: str, left: int, priority: int = 2, deadline: float | None = None, **more: bool
) -> BatchFigures:
    return BatchFigures(
        name=name, source="/data", priority=priority, deadline=deadline, model=None,
        paused=more.get("paused", False), created_at=0.0, chunks=NONE, images={**NONE, "pending": left},
        missed=0, met=0, cpu_s=0.0,
    )  # fmt: skip


def active(of: str) -> ChunkFigures:
    return ChunkFigures(1, f"{of}/d#0", of, "active", 2, None, "w", "h", 1, 40, 3, AT, None)


def queue(images_per_s: float, batches: tuple[BatchFigures, ...], *chunks: ChunkFigures) -> QueueFigures:
    return QueueFigures(
        at=AT, chunks=NONE, paused=0, images=NONE, images_per_s=images_per_s, oldest_pending_s=None,
        deadlines={}, next_deadline=None, failures={}, attempts={}, batches=batches, active=chunks, dead=(),
        hosts=(), events=(), decisions=(), latest=(),
    )  # fmt: skip


def test_batches_are_ready_in_the_order_of_their_claims() -> None:
    newest_first = (
        batch("younger", 40),
        batch("older", 60),
        batch("due", 20, deadline=5_000.0),
        batch("urgent", 10, priority=3),
        batch("held", 500, priority=3, paused=True),
        batch("read", 0),
    )
    found = forecast(
        queue(2.0, newest_first, active("urgent"), active("urgent"), active("due"), active("due"))
    )
    assert found == {
        "read": Forecast(0, None, 0.0),
        "held": Forecast(500, None, 0.0),
        "urgent": Forecast(10, AT + 5, 1.0),
        "due": Forecast(20, AT + 15, 1.0),
        "older": Forecast(60, AT + 45, 0.0, "due"),
        "younger": Forecast(40, AT + 65, 0.0, "older"),
    }


def test_nothing_is_foretold_while_nothing_moves() -> None:
    assert forecast(queue(0.0, (batch("a", 5),), active("a"))) == {"a": Forecast(5, None, 0.0)}
