"""What the queue decides by: leases, how priority rises as a deadline nears, the wait after a fault."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case

from worker.queue.database.sql import db_now
from worker.queue.schema import chunks

_DOUBLINGS = 40  # at most: thousands of years from a second on, and no number overflows


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """What the queue decides by; see docs/settings.md."""

    lease_s: float = 60
    attempts: int = 5
    backoff_s: float = 10
    backoff_most_s: float = 600
    deadline_near_s: float = 14_400
    deadline_urgent_s: float = 3_600
    patience_s: float = 30
    waits_for_room: bool = True  # a full disk is waited for as well; not where a person waits for the answer


def effective_priority(policy: QueuePolicy) -> ColumnElement[int]:
    """3 within `deadline_urgent_s` of the deadline and after it, at least 2 within `deadline_near_s`, else
    the priority that was asked for.
    """
    left_s = chunks.c.due - db_now()
    return case(
        (chunks.c.priority == 3, 3),
        (left_s <= policy.deadline_urgent_s, 3),
        (left_s <= policy.deadline_near_s, 2),
        else_=chunks.c.priority,
    )


def backoff_s(policy: QueuePolicy, faults: int, jitter: float) -> float:
    """Wait after the fault of that number in a row (from 1): doubled each time, up to the most, and within it
    spread by `jitter` (0 to 1) over the upper half, so that chunks that failed together do not come back
    together.
    """
    return growing_pause_s(policy.backoff_s, faults, policy.backoff_most_s) * (0.5 + jitter / 2)


def growing_pause_s(first_s: float, faults: int, most_s: float = math.inf) -> float:
    """After so many faults in a row (from 1): doubled by each, up to the most."""
    return min(first_s * 2.0 ** min(max(faults - 1, 0), _DOUBLINGS), most_s)
