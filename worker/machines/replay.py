"""What a group's rule would have done over the queue's own past (pure): batches as they came, machines that
boot and work as learned. None fails and none is taken away: cost and lateness are the least to expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.machines.scaling import Due, Memory, ScalingInput, ScalingRule

_LONGEST_S = 14 * 86_400.0  # after the last batch came, work that is still left is given up


@dataclass(frozen=True, slots=True)
class Arrival:
    at: float
    deadline: float | None
    images: int


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    images: int
    late_images: int
    machine_hours: float
    cost: float
    most: int  # machines at a time
    made: int  # machines altogether
    reversals: int  # changes of direction within half an hour


def replay(
    arrivals: Sequence[Arrival],
    rule: ScalingRule,
    images_per_s: float,
    boot_s: float,
    price_per_hour: float,
    every_s: float = 60,
) -> ReplayOutcome:
    """Work is done in the order of its deadlines, and divisible by the image, as the fleet's chunks are."""
    coming = sorted(arrivals, key=lambda one: one.at)
    now = coming[0].at if coming else 0.0
    end = (coming[-1].at if coming else 0.0) + _LONGEST_S
    left: list[list[float]] = []  # [deadline, images]
    up_at: list[float] = []
    memory, late, seconds, most, made, reversals = Memory(), 0.0, 0.0, 0, 0, 0
    last_change = (0, -1e12)  # (direction, when)
    while (coming or left or up_at) and now < end:
        while coming and coming[0].at <= now:
            one = coming.pop(0)
            left.append([float("inf") if one.deadline is None else one.deadline, float(one.images)])
        left.sort()
        up = sum(at <= now for at in up_at)
        work = [Due(None if due == float("inf") else due, images) for due, images in left]
        idle = 0 if work else up
        given = ScalingInput(
            now, work, len(up_at), up, images_per_s, boot_s, cpu_share=float(bool(work)) * 0.95, idle=idle
        )
        decision = rule(given, memory)
        memory, change = decision.memory, decision.wanted - len(up_at)
        if change:
            direction = 1 if change > 0 else -1
            reversals += direction == -last_change[0] and now - last_change[1] < 1800
            last_change = (direction, now)
        if change > 0:
            up_at += [now + boot_s] * change
            made += change
        elif change < 0:
            up_at = sorted(up_at)[:change]
        most = max(most, len(up_at))
        seconds += len(up_at) * every_s
        capacity = sum(max(0.0, min(every_s, now + every_s - at)) for at in up_at) * images_per_s
        for part in left:
            done = min(part[1], capacity)
            capacity -= done
            late += done if now > part[0] else 0
            part[1] -= done
        left = [part for part in left if part[1] > 1e-6]
        now += every_s
    late += sum(images for _, images in left)
    hours = seconds / 3600
    total = sum(one.images for one in arrivals)
    return ReplayOutcome(total, round(late), hours, hours * price_per_hour, most, made, reversals)
