"""A batch that states its need: who starts for it, who takes it, and what happens where it does not fit."""

from __future__ import annotations

from dataclasses import replace

from bench.gate_machine import DEFAULT_LIMITS as LIMITS
from bench.gate_machine import GB
from worker.gate.model import (
    GateInput,
    GateVerdict,
    History,
    MemoryArea,
    Reason,
    ResourceEstimate,
    WorkerView,
)
from worker.gate.resource_estimate import most_private_bytes
from worker.gate.stated_needs import choose_size, largest, raised, room_of_host, room_of_worker, too_large
from worker.queue import NO_NEED, Outstanding, StatedNeed
from worker.settings import Settings

LEARNED = ResourceEstimate(private_bytes=1 * GB)
BIG, SMALL, HUGE = StatedNeed(20_000, 4), StatedNeed(500, 1), StatedNeed(900_000)
ROOM = StatedNeed(57_600, 16)  # of the host below


def load(used_gb: float = 4, claimable: int = 1) -> GateInput:
    memory = (MemoryArea("host", int(used_gb * GB), int(used_gb * GB), 64 * GB),)
    return GateInput(1000, 5, 20, memory, claimable_chunks=claimable)


def waiting(*stated: tuple[StatedNeed, int], plain: int = 0) -> Outstanding:
    pending = plain + sum(count for _, count in stated)
    return Outstanding(pending, 0, 0, 0.0, stated=stated)


def worker(number: int, need: ResourceEstimate = LEARNED, busy: bool = True) -> WorkerView:
    return WorkerView(f"w{number}", float(number), 100, GB, busy, need=need)


def decide(
    outstanding: Outstanding, *workers: WorkerView, used_gb: float = 4, rooms: tuple[StatedNeed, ...] = ()
):  # type: ignore[no-untyped-def]
    history = History(workers, LEARNED)
    return choose_size(load(used_gb, outstanding.pending), LIMITS, history, rooms, outstanding, ROOM)


def test_needs_are_compared_each_for_itself() -> None:
    assert StatedNeed(500).fits(StatedNeed(500, 1))
    assert not StatedNeed(501).fits(StatedNeed(500))
    assert not StatedNeed(None, 2).fits(StatedNeed(10_000, 1.5))
    assert NO_NEED.fits(StatedNeed(1, 0.1))
    assert HUGE.fits(NO_NEED), "no limit is known"
    assert BIG.with_more(StatedNeed(30_000, 1)) == StatedNeed(30_000, 4)
    assert str(BIG) == "20,000 MB and 4 CPUs"


def test_a_worker_is_reckoned_by_what_was_stated_where_that_is_more() -> None:
    assert raised(LEARNED, BIG) == ResourceEstimate(20 * GB, cpus=4)
    assert raised(LEARNED, SMALL) == LEARNED
    shared = ResourceEstimate(GB, shared_bytes=GB)
    assert raised(shared, BIG).private_bytes == 19 * GB, "what workers share is in what is stated"
    assert room_of_worker(raised(shared, BIG)) == BIG


def test_the_next_worker_is_for_the_largest_need_that_the_host_carries() -> None:
    decision, need = decide(waiting((SMALL, 3), (BIG, 1), (HUGE, 9)))
    assert (decision.verdict, need) == (GateVerdict.ADMIT, BIG)
    assert largest(((SMALL, 3), (BIG, 1), (HUGE, 9)), ROOM) == BIG
    assert too_large(((SMALL, 3), (HUGE, 9)), ROOM) == (9, HUGE)


def test_without_stated_needs_the_gate_decides_as_ever() -> None:
    decision, need = decide(waiting(plain=3), worker(1), rooms=(room_of_worker(LEARNED),))
    assert (decision.verdict, need) == (GateVerdict.ADMIT, NO_NEED)


def test_smaller_work_goes_on_where_the_larger_has_no_room_now() -> None:
    held, _ = decide(waiting((BIG, 1)), used_gb=45)
    assert held.reason is Reason.MEMORY_NEED
    decision, need = decide(waiting((BIG, 1), plain=2), used_gb=45)
    assert (decision.verdict, need) == (GateVerdict.ADMIT, NO_NEED)


def test_idle_workers_that_are_too_small_do_not_stand_for_a_larger_one() -> None:
    small = worker(1, busy=False)
    decision, need = decide(waiting((BIG, 1)), small, rooms=(room_of_worker(LEARNED),))
    assert (decision.verdict, need) == (GateVerdict.ADMIT, BIG)
    large = worker(2, raised(LEARNED, BIG), busy=False)
    decision, _ = decide(waiting((BIG, 1)), large, rooms=(BIG,))
    assert decision.reason is Reason.NO_WORK


def test_workers_that_run_are_reckoned_by_what_they_were_started_for() -> None:
    """Two of 20 GB are promised 38 GB more than they have: a third has no room in 64 GB, a small one has."""
    large = [worker(number, raised(LEARNED, BIG)) for number in (1, 2)]
    decision, _ = decide(waiting((BIG, 1)), *large, rooms=(BIG, BIG))
    assert decision.reason is Reason.MEMORY_NEED
    decision, _ = decide(waiting(plain=1), *large, rooms=(BIG, BIG))
    assert decision.verdict is GateVerdict.ADMIT


def test_cpus_that_are_stated_count_against_the_allotment() -> None:
    limits = replace(LIMITS, cpus=5)
    history = History((worker(1, raised(LEARNED, BIG)),), LEARNED)
    outstanding = waiting((BIG, 1))
    decision, _ = choose_size(load(), limits, history, (BIG,), outstanding, StatedNeed(57_600, 5))
    assert decision.reason is Reason.CPU_NEED
    decision, _ = choose_size(load(), limits, history, (BIG,), waiting(plain=1), StatedNeed(57_600, 5))
    assert decision.verdict is GateVerdict.ADMIT


def test_what_no_worker_here_will_ever_have_is_no_work_and_said() -> None:
    decision, need = decide(waiting((HUGE, 9)))
    assert (decision.reason, need) == (Reason.NO_WORK, NO_NEED)
    assert decision.text == (
        "9 chunks wait whose workers need 900,000 MB each; this host has 57,600 MB and 16 CPUs"
    )


def test_the_room_of_a_host_is_its_tightest_limit() -> None:
    areas = (MemoryArea("host", 0, 0, 64 * GB), MemoryArea("cgroup", 0, 0, 10 * GB))
    limits = replace(LIMITS, memory_promised_pct=90)
    assert room_of_host(areas, limits, 8) == StatedNeed(9_000, 8.4)
    allotment = (MemoryArea("the allotment", 0, 0, 3 * GB, is_allotment=True),)
    assert room_of_host(allotment, replace(limits, cpus=2), 8) == StatedNeed(3_000, 2.1)


def test_a_worker_does_not_leave_below_what_it_was_started_for() -> None:
    settings = Settings.model_validate({"decimer_engine": "stub"})
    assert most_private_bytes(settings, BIG) == 20 * GB
    assert most_private_bytes(settings) < GB
