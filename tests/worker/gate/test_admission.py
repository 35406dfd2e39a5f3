"""Each reason of the gate, and what must hold whatever the load: worse never admits what better refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.gate_machine import DEFAULT_LIMITS as LIMITS
from bench.gate_machine import GB
from worker.gate.admission import admit, admit_chunk, effective_max_chunks, others_first
from worker.gate.model import (
    GateInput,
    GateLimits,
    GateVerdict,
    History,
    MemoryArea,
    Reason,
    ResourceEstimate,
    TempUse,
    WorkerView,
)

NEED = ResourceEstimate(private_bytes=5 * GB, cpus=1.3)


def host(used_gb: float, limit_gb: float = 64, name: str = "host") -> MemoryArea:
    return MemoryArea(name, int(used_gb * GB), int(used_gb * GB), int(limit_gb * GB))


def load(cpu_pct: float = 20, used_gb: float = 4, **other: object) -> GateInput:
    return replace(GateInput(1000, 5, cpu_pct, (host(used_gb),)), **other)  # type: ignore[arg-type]


def worker(number: int, ready_s: float | None = 100, private_gb: float = 5, **other: object) -> WorkerView:
    view = WorkerView(f"w{number}", float(number), ready_s, int(private_gb * GB))
    return replace(view, **other)  # type: ignore[arg-type]


def history(*workers: WorkerView, **other: object) -> History:
    return replace(History(workers, NEED), **other)  # type: ignore[arg-type]


def test_admits_on_a_machine_with_room() -> None:
    decision = admit(load(), LIMITS, history(worker(1)))
    assert decision.admitted
    assert decision.reason is Reason.ROOM
    assert decision.figures["cpu_pct"] == 20
    assert decision.figures["workers"] == 1


@pytest.mark.parametrize(
    ("reason", "given_load", "limits", "given_history"),
    [
        (Reason.MEASURING, load(covered_s=4.9), LIMITS, history()),
        (Reason.WARMING, load(), LIMITS, history(worker(1, ready_s=None))),
        (Reason.SETTLING, load(), LIMITS, history(worker(1, ready_s=996))),
        (Reason.COOLING, load(), LIMITS, history(worker(1, draining=True))),
        (Reason.COOLING, load(), LIMITS, history(drains_s=(941,))),
        (Reason.BACKING_OFF, load(), LIMITS, history(failed_starts_s=(990, 993, 995))),
        (Reason.NO_WORK, load(claimable_chunks=0), LIMITS, history()),
        (Reason.NO_WORK, load(claimable_chunks=1), LIMITS, history(worker(1, busy=False))),
        (Reason.WORKERS, load(), replace(LIMITS, max_workers=1), history(worker(1))),
        (Reason.PREPARING, load(preparing="fetching weights 40 %"), LIMITS, history()),
        (Reason.CPU, load(cpu_pct=75), LIMITS, history()),
        (Reason.CPU_NEED, load(), replace(LIMITS, cpus=2), history(worker(1))),
        (Reason.MEMORY, load(used_gb=48), LIMITS, history()),
        (Reason.MEMORY_NEED, load(used_gb=47, memory=(host(13, 20),)), LIMITS, history()),
        (Reason.MEMORY_NEED, load(memory=(host(4), host(1, 6, "cgroup /job"))), LIMITS, history()),
        (
            Reason.PRESSURE,
            load(pressure_pct={"memory": 12.0}),
            replace(LIMITS, pressure_pct={"memory": 10}),
            history(),
        ),
        (Reason.TEMP_USED, load(temp=TempUse(900, 1000)), LIMITS, history()),
        (Reason.TEMP_LEFT, load(temp=TempUse(0, 249_999_999)), LIMITS, history()),
        (Reason.ACTIVE_CHUNKS, load(active_chunks=35), replace(LIMITS, max_active_chunks=35), history()),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
def test_holds_and_names_what_binds(
    reason: Reason, given_load: GateInput, limits: GateLimits, given_history: History
) -> None:
    decision = admit(given_load, limits, given_history)
    assert (decision.verdict, decision.reason) == (GateVerdict.HOLD, reason)
    assert decision.text


def test_temporary_storage_out_of_reach_is_named() -> None:
    temp = TempUse(0, 0, "WORKER_TEMP_DIR=/x: Permission denied")
    decision = admit(load(temp=temp), LIMITS, history())
    assert (decision.reason, decision.text) == (Reason.TEMP_USED, temp.error)


def test_an_admission_waits_for_other_supervisors_with_the_figures_it_had() -> None:
    decision = others_first(admit(load(), LIMITS, history()))
    assert (decision.verdict, decision.reason) == (GateVerdict.HOLD, Reason.WARMING)
    assert decision.figures["cpu_pct"] == 20


def test_the_limit_that_is_named_is_the_one_that_binds() -> None:
    cgroup = host(3, 4, "cgroup /job")
    assert "cgroup /job" in admit(load(memory=(host(4), cgroup)), LIMITS, history()).text


def test_workers_that_still_load_count_in_full() -> None:
    """Four workers that show nothing yet are promised 20 GB: a fifth would pass the ceiling of 28.8 GB."""
    loading = [worker(number, private_gb=0) for number in range(4)]
    decision = admit(load(memory=(host(4, 32),)), LIMITS, history(*loading))
    assert decision.reason is Reason.MEMORY_NEED
    assert decision.figures["growth_bytes"] == 20 * GB


def test_shared_weights_count_once() -> None:
    estimate = ResourceEstimate(private_bytes=GB, shared_bytes=2 * GB)
    area = MemoryArea("host", 0, 0, int(3.3 * GB))
    first = admit(load(memory=(area,)), LIMITS, History((), estimate))
    assert first.reason is Reason.MEMORY_NEED
    loaded = History((worker(1, private_gb=1),), estimate)
    assert admit(load(memory=(area,)), LIMITS, loaded).admitted


def test_memory_over_the_high_mark_drains_the_youngest() -> None:
    decision = admit(load(used_gb=60), LIMITS, history(worker(1), worker(3), worker(2)))
    assert (decision.verdict, decision.reason) == (GateVerdict.DRAIN, Reason.MEMORY_HIGH)
    assert "w3" in decision.text


def test_cpu_never_drains() -> None:
    assert admit(load(cpu_pct=100), LIMITS, history(worker(1))).verdict is GateVerdict.HOLD


@pytest.mark.parametrize(
    "calm",
    [history(), history(worker(1), worker(2, draining=True)), history(worker(1), drains_s=(950,))],
    ids=["no workers", "one drains", "cooling down"],
)
def test_drains_one_at_a_time(calm: History) -> None:
    assert admit(load(used_gb=60), LIMITS, calm).verdict is GateVerdict.HOLD


def test_pause_doubles_with_each_drain() -> None:
    assert admit(load(), LIMITS, history(drains_s=(0, 500, 800))).reason is Reason.COOLING  # 240 s
    assert admit(load(), LIMITS, history(drains_s=(800,))).admitted  # 60 s


def test_a_threshold_of_100_lifts_the_limit() -> None:
    assert admit(load(cpu_pct=100), replace(LIMITS, cpu_pct=100), history()).admitted


def test_images_read_in_place_need_no_temporary_storage() -> None:
    assert admit_chunk(None, 10_000, LIMITS).admitted


@pytest.mark.parametrize(
    ("temp_mb", "maximum", "effective"),
    [(20_000, 35, 35), (8_000, 35, 32), (400, 10, 1), (20_000, None, None)],
    ids=["local", "azure", "azure functions", "no maximum"],
)
def test_effective_maximum_of_chunks(temp_mb: int, maximum: int | None, effective: int | None) -> None:
    assert effective_max_chunks(maximum, temp_mb * 1_000_000, 500, 500_000) == effective


percentages = st.floats(0, 100)
used = st.floats(0, 64)
views = st.builds(
    WorkerView,
    name=st.just("w"),
    started_s=st.floats(0, 1000),
    ready_s=st.none() | st.floats(0, 1000),
    private_bytes=st.integers(0, 8 * GB),
    busy=st.booleans(),
    draining=st.booleans(),
)


@given(percentages, used, st.lists(views, max_size=12), percentages, used)
def test_worse_never_admits_what_better_refused(
    cpu_pct: float, used_gb: float, workers: list[WorkerView], more_cpu_pct: float, more_gb: float
) -> None:
    worse = load(cpu_pct=min(100, cpu_pct + more_cpu_pct), used_gb=used_gb + more_gb)
    if admit(worse, LIMITS, history(*workers)).admitted:
        assert admit(load(cpu_pct, used_gb), LIMITS, history(*workers)).admitted


@given(percentages, used, st.lists(views, max_size=12))
def test_what_is_admitted_fits_under_every_limit(
    cpu_pct: float, used_gb: float, workers: list[WorkerView]
) -> None:
    decision = admit(load(cpu_pct, used_gb), LIMITS, history(*workers))
    if decision.admitted:
        promised = (
            decision.figures["memory_used_bytes"] + decision.figures["growth_bytes"] + NEED.private_bytes
        )
        assert promised < 0.9 * 64 * GB
        assert cpu_pct < 75
        assert used_gb < 48


def allotment(used_mb: float, limit_mb: float) -> tuple[MemoryArea, ...]:
    used_bytes = int(used_mb * 1e6)
    return (MemoryArea("the allotment", used_bytes, used_bytes, int(limit_mb * 1e6), is_allotment=True),)


def test_the_first_worker_may_have_a_whole_allotment() -> None:
    """110 MB were measured, 121 MB are reckoned with: over the ceiling of 101 MB, but it ran there."""
    estimate = ResourceEstimate(121_000_000)
    first = admit(load(memory=allotment(0, 112)), LIMITS, history(estimate=estimate))
    assert first.admitted
    running = worker(1, private_gb=0.11)
    alone = admit(load(memory=allotment(110, 112)), LIMITS, history(running, estimate=estimate))
    assert alone.verdict is GateVerdict.HOLD, "the only worker is not drained for what is its own"
    full = admit(load(memory=allotment(113, 112)), LIMITS, history(running, estimate=estimate))
    assert full.reason is Reason.MEMORY_HIGH


def test_a_worker_that_no_allotment_here_will_ever_hold_is_told_at_once() -> None:
    never = admit(load(memory=allotment(0, 100)), LIMITS, history(estimate=ResourceEstimate(121_000_000)))
    assert never.reason is Reason.MEMORY_NEVER
    assert "a worker needs 121 MB; the allotment is 100 MB in all: raise WORKER_MEMORY_MB" in never.text


def test_promised_memory_has_a_ceiling_of_its_own() -> None:
    """64 GB, 42 used: one more worker of 5 GB would come to 73 %, another to 81 %."""
    limits = replace(LIMITS, memory_promised_pct=75.0)
    assert admit(load(used_gb=42), limits, history(worker(1))).admitted
    held = admit(load(used_gb=44), limits, history(worker(1)))
    assert held.reason is Reason.MEMORY_NEED
    assert "a ceiling of 48,000 MB" in held.text
    assert admit(load(used_gb=44), LIMITS, history(worker(1))).admitted, "as long as it is not set"
