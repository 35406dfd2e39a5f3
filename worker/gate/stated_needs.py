"""What batches state of their needs against what this host has (pure).

An operator states of a batch what one worker takes while it works on it. A worker is started for a size and
takes no chunk of a batch that needs more; the gate reckons each worker by its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from worker.gate.admission import admit
from worker.gate.model import (
    MB,
    Decision,
    GateInput,
    GateLimits,
    History,
    MemoryArea,
    Reason,
    ResourceEstimate,
)
from worker.queue import NO_NEED, Outstanding, StatedNeed

_SLACK = 1.05  # of CPUs, as the gate has it
_FULL = frozenset({Reason.MEMORY_NEED, Reason.CPU_NEED})


def room_of_host(memory: Sequence[MemoryArea], limits: GateLimits, cpus: float) -> StatedNeed:
    """The most that one worker alone could have here."""
    least_bytes = min(
        area.limit_bytes * (1 if area.is_allotment else limits.promised_pct / 100) for area in memory
    )
    return StatedNeed(int(least_bytes / MB), (limits.cpus or cpus) * _SLACK)


def raised(estimate: ResourceEstimate, need: StatedNeed) -> ResourceEstimate:
    """The estimate, or what was stated where that is more."""
    stated_bytes = max(0, (need.memory_mb or 0) * MB - estimate.shared_bytes)
    return replace(
        estimate,
        private_bytes=max(estimate.private_bytes, stated_bytes),
        cpus=max(estimate.cpus, need.cpus or 0),
    )


def room_of_worker(estimate: ResourceEstimate) -> StatedNeed:
    """What a worker that is started for so much may be asked for."""
    return StatedNeed((estimate.private_bytes + estimate.shared_bytes) // MB, estimate.cpus)


def largest(stated: Sequence[tuple[StatedNeed, int]], room: StatedNeed) -> StatedNeed:
    """The most that waiting work states, of what `room` has."""
    need = NO_NEED
    for one, _ in stated:
        if one.fits(room):
            need = need.with_more(one)
    return need


def too_large(stated: Sequence[tuple[StatedNeed, int]], room: StatedNeed) -> tuple[int, StatedNeed]:
    """(chunks that need more than there is room for, the most that they need)"""
    need, chunks = NO_NEED, 0
    for one, count in stated:
        if not one.fits(room):
            need, chunks = need.with_more(one), chunks + count
    return chunks, need


def too_large_text(stated: Sequence[tuple[StatedNeed, int]], room: StatedNeed) -> str:
    """What nobody here will do, in words; empty where there is nothing of the kind."""
    chunks, most = too_large(stated, room)
    return f"{chunks} chunks wait whose workers need {most} each; this host has {room}" if chunks else ""


def choose_size(
    inputs: GateInput,
    limits: GateLimits,
    history: History,
    rooms: Sequence[StatedNeed],
    outstanding: Outstanding | None,
    room: StatedNeed,
) -> tuple[Decision, StatedNeed]:
    """The gate's decision and the need that the next worker is started for: the largest that waits and that
    this host could ever carry; where there is no room for that now, none, if work without one waits. `rooms`
    are those of the workers in `history`, `room` is the host's.
    """
    stated = () if outstanding is None or not inputs.claimable_chunks else outstanding.stated
    if not stated:
        return admit(inputs, limits, history), NO_NEED
    never, _ = too_large(stated, room)
    claimable = inputs.claimable_chunks - never
    if never and claimable <= 0:
        decision = admit(replace(inputs, claimable_chunks=0), limits, history)
        if decision.reason is Reason.NO_WORK:
            decision = replace(decision, text=too_large_text(stated, room))
        return decision, NO_NEED
    need = largest(stated, room)
    workers = tuple(
        worker if need.fits(one) else replace(worker, busy=True)  # what waits is not for it
        for worker, one in zip(history.workers, rooms, strict=True)
    )
    larger = replace(history, workers=workers, estimate=raised(history.estimate, need))
    decision = admit(replace(inputs, claimable_chunks=claimable), limits, larger)
    small = claimable - sum(count for one, count in stated if one.fits(room))
    if decision.reason in _FULL and small > 0:
        again = admit(replace(inputs, claimable_chunks=small), limits, history)
        if again.admitted:
            return again, NO_NEED
    return decision, need
