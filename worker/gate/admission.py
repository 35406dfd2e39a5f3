"""Whether this host takes one more worker, one more chunk, or has to give a worker up: decisions, no effects.

`admit` looks at what the host shows (CPU, memory, pressure) and at what it cannot show yet (workers that
are still loading, memory that a worker is known to reach later). `admit_chunk` looks at what no host figure
shows: our own temporary files and the chunks active in the whole queue. A worker is started only when both
agree, and each worker asks `admit_chunk` again before every claim.

Percentages are 0..100; times are seconds of one monotonic clock.
"""

from __future__ import annotations

from worker.gate.model import (
    MARGIN,
    MB,
    Decision,
    GateInput,
    GateLimits,
    GateVerdict,
    History,
    Reason,
    TempUse,
    WorkerView,
)
from worker.queue.policy import growing_pause_s

BACKOFF_DOUBLINGS = 6  # a host that failed often is asked again after at most 2**6 times the first pause


def admit(inputs: GateInput, limits: GateLimits, history: History) -> Decision:
    """Decide about the host's number of workers: one more, one less, or neither (and then why).

    Memory over its high mark drains the youngest worker, CPU never drains. Nothing else is decided while a
    worker warms up or drains, until the averages show the last one, or within the pause after a setback.
    """
    high = _memory_high(inputs, limits, history)
    if high is not None:
        return high
    for check in (_patience, _work, _model, _cpu, _memory, _memory_need, _pressure):
        held = check(inputs, limits, history)
        if held is not None:
            return held
    chunk = admit_chunk(inputs.temp, inputs.active_chunks, limits)
    if not chunk.admitted:
        return chunk
    worst = max(inputs.memory, key=lambda area: area.used_pct)
    return Decision(
        GateVerdict.ADMIT,
        Reason.ROOM,
        f"CPU {inputs.cpu_pct:.0f} %, memory {worst.used_pct:.0f} % of {worst.name}: "
        "room for one more worker",
        {**_figures(inputs, history), **chunk.figures},
    )


def admit_chunk(temp: TempUse | None, active_chunks: int, limits: GateLimits) -> Decision:
    """Decide whether one more chunk may be claimed; `temp` None means that images are read where they lie."""
    figures: dict[str, float] = {"active_chunks": active_chunks}
    if limits.max_active_chunks is not None:
        figures["max_active_chunks"] = limits.max_active_chunks
        if active_chunks >= limits.max_active_chunks > 0:  # 0: it is temporary storage that carries none
            text = (
                f"{active_chunks} chunks are active in the queue, at most {limits.max_active_chunks} may be"
            )
            return Decision(GateVerdict.HOLD, Reason.ACTIVE_CHUNKS, text, figures)
    if temp is not None:
        figures |= {"temp_used_bytes": temp.used_bytes, "temp_limit_bytes": temp.limit_bytes}
        used_pct = 100 * temp.used_bytes / temp.limit_bytes if temp.limit_bytes else 100.0
        left_bytes = temp.limit_bytes - temp.used_bytes
        if temp.error or used_pct > limits.temp_pct:
            text = temp.error or f"temporary storage is {used_pct:.0f} % used, over {limits.temp_pct:.0f} %"
            return Decision(GateVerdict.HOLD, Reason.TEMP_USED, text, figures)
        if left_bytes < limits.chunk_bytes:
            text = (
                f"temporary storage has {_mb(left_bytes)} left of {_mb(temp.limit_bytes)}, "
                f"a chunk is reckoned to take {_mb(limits.chunk_bytes)}"
            )
            return Decision(GateVerdict.HOLD, Reason.TEMP_LEFT, text, figures)
    return Decision(GateVerdict.ADMIT, Reason.ROOM, "room for one more chunk", figures)


def effective_max_chunks(
    maximum: int | None, temp_bytes: int, chunk_images: int, image_bytes: int
) -> int | None:
    """The maximum of active chunks, lowered to what temporary storage carries; None where none is set."""
    return None if maximum is None else min(maximum, temp_bytes // (chunk_images * image_bytes))


def youngest(workers: tuple[WorkerView, ...]) -> WorkerView:
    """The worker that a drain takes: what it loses is the least."""
    return max((worker for worker in workers if not worker.draining), key=lambda worker: worker.started_s)


def is_warming(worker: WorkerView, now_s: float, limits: GateLimits) -> bool:
    """Whether the worker is still loading, or was until so lately that the averages do not show it."""
    return worker.ready_s is None or now_s - worker.ready_s < limits.window_s


def others_first(decision: Decision) -> Decision:
    """What becomes of an admission while another supervisor of the host has a worker that warms up."""
    text = "a worker of another supervisor of this host is warming up"
    return Decision(GateVerdict.HOLD, Reason.WARMING, text, decision.figures)


def pause_s(setbacks_s: tuple[float, ...], first_s: float) -> float:
    """Twice as long after each further setback, so that a host out of balance is not shaken for ever."""
    return growing_pause_s(first_s, len(setbacks_s), first_s * 2**BACKOFF_DOUBLINGS)


def expected_growth_bytes(history: History) -> int:
    """Memory that running and loading workers have not taken yet but are known to reach."""
    growth = sum(
        max(0, (worker.need or history.estimate).private_bytes - worker.private_bytes)
        for worker in history.workers
        if not worker.draining
    )
    shared_is_loaded = any(worker.ready_s is not None for worker in history.workers)
    return growth + (0 if shared_is_loaded or not history.workers else history.estimate.shared_bytes)


def _memory_high(inputs: GateInput, limits: GateLimits, history: History) -> Decision | None:
    worst = max(inputs.memory, key=lambda area: area.used_pct)
    high_pct = limits.memory_high_pct
    if worst.is_allotment and len(history.workers) == 1:
        high_pct = max(high_pct, 100.0)  # the whole allotment is the only worker's
    if worst.used_pct < high_pct or inputs.covered_s < limits.window_s:
        return None
    if not history.workers or any(worker.draining for worker in history.workers):
        return None
    if history.drains_s and inputs.now_s - history.drains_s[-1] < limits.cooldown_s:
        return None
    worker = youngest(history.workers)
    text = f"memory is at {worst.used_pct:.0f} % of {worst.name}, over {high_pct:.0f} %: {worker.name} drains"
    return Decision(GateVerdict.DRAIN, Reason.MEMORY_HIGH, text, _figures(inputs, history))


def _patience(inputs: GateInput, limits: GateLimits, history: History) -> Decision | None:
    figures = _figures(inputs, history)

    def hold(reason: Reason, text: str) -> Decision:
        return Decision(GateVerdict.HOLD, reason, text, figures)

    if inputs.covered_s < limits.window_s:
        return hold(Reason.MEASURING, f"measured for {inputs.covered_s:.1f} s of {limits.window_s:g} s")
    for worker in history.workers:
        if worker.draining:
            return hold(Reason.COOLING, f"{worker.name} is draining")
        if worker.ready_s is None:
            return hold(Reason.WARMING, f"{worker.name} is warming up")
        if is_warming(worker, inputs.now_s, limits):
            return hold(Reason.SETTLING, f"the averages do not show {worker.name} yet")
    wait_s = pause_s(history.drains_s, limits.cooldown_s)
    if history.drains_s and inputs.now_s - history.drains_s[-1] < wait_s:
        return hold(Reason.COOLING, f"a worker was drained for memory: nothing is started for {wait_s:g} s")
    wait_s = pause_s(history.failed_starts_s, limits.failed_start_pause_s)
    if history.failed_starts_s and inputs.now_s - history.failed_starts_s[-1] < wait_s:
        count = len(history.failed_starts_s)
        return hold(
            Reason.BACKING_OFF, f"{count} workers died before their first answer: waiting {wait_s:g} s"
        )
    return None


def _work(inputs: GateInput, limits: GateLimits, history: History) -> Decision | None:
    if inputs.queue_error:
        return Decision(GateVerdict.HOLD, Reason.QUEUE, inputs.queue_error, _figures(inputs, history))
    idle = sum(not worker.busy for worker in history.workers)
    if inputs.claimable_chunks <= idle:
        text = "no chunk waits to be claimed"
        return Decision(GateVerdict.HOLD, Reason.NO_WORK, text, _figures(inputs, history))
    if limits.max_workers is not None and len(history.workers) >= limits.max_workers:
        text = f"as many workers run as are allowed ({len(history.workers)})"
        return Decision(GateVerdict.HOLD, Reason.WORKERS, text, _figures(inputs, history))
    return None


def _model(inputs: GateInput, limits: GateLimits, history: History) -> Decision | None:
    if not inputs.preparing:
        return None
    return Decision(GateVerdict.HOLD, Reason.PREPARING, inputs.preparing, _figures(inputs, history))


def _cpu(inputs: GateInput, limits: GateLimits, history: History) -> Decision | None:
    figures = _figures(inputs, history)
    if inputs.cpu_pct >= limits.cpu_pct < 100:
        text = f"CPU is at {inputs.cpu_pct:.0f} %, not under {limits.cpu_pct:.0f} %"
        return Decision(GateVerdict.HOLD, Reason.CPU, text, figures)
    taken = sum((worker.need or history.estimate).cpus for worker in history.workers)
    needed = taken + history.estimate.cpus
    if limits.cpus is not None and history.workers and needed > limits.cpus * 1.05:
        text = f"one more worker would bring {needed:.1f} CPUs, {limits.cpus:g} are allotted"
        return Decision(GateVerdict.HOLD, Reason.CPU_NEED, text, figures)
    return None


def _memory(inputs: GateInput, limits: GateLimits, history: History) -> Decision | None:
    for area in inputs.memory:
        if area.used_pct >= limits.memory_pct:
            text = f"memory is at {area.used_pct:.0f} % of {area.name}, not under {limits.memory_pct:.0f} %"
            return Decision(GateVerdict.HOLD, Reason.MEMORY, text, _figures(inputs, history))
    return None


def _memory_need(inputs: GateInput, limits: GateLimits, history: History) -> Decision | None:
    """Refuse what would pass the ceiling of promised memory, which is at most the mark at which a worker is
    drained again: that is what would oscillate. The first worker may have the whole of an allotment; one that
    does not fit even there never will.
    """
    need_bytes = history.estimate.private_bytes + (0 if history.workers else history.estimate.shared_bytes)
    growth_bytes = expected_growth_bytes(history)
    for area in inputs.memory:
        ceiling_bytes = area.limit_bytes * limits.promised_pct / 100
        if area.is_allotment and not history.workers:
            if need_bytes / MARGIN <= area.limit_bytes:
                continue
            text = (
                f"a worker needs {_mb(need_bytes)}; {area.name} is {_mb(area.limit_bytes)} in all: "
                "raise WORKER_MEMORY_MB, or take a smaller engine"
            )
            return Decision(GateVerdict.HOLD, Reason.MEMORY_NEVER, text, _figures(inputs, history))
        used_bytes = max(area.used_bytes, area.latest_bytes)
        if used_bytes + growth_bytes + need_bytes >= ceiling_bytes:
            text = (
                f"a worker needs {_mb(need_bytes)}; {area.name} has {_mb(used_bytes)} used, "
                f"{_mb(growth_bytes)} promised, and a ceiling of {_mb(int(ceiling_bytes))}"
            )
            return Decision(GateVerdict.HOLD, Reason.MEMORY_NEED, text, _figures(inputs, history))
    return None


def _pressure(inputs: GateInput, limits: GateLimits, history: History) -> Decision | None:
    for kind, limit_pct in limits.pressure_pct.items():
        pressure_pct = inputs.pressure_pct.get(kind)
        if pressure_pct is not None and limit_pct < 100 and pressure_pct >= limit_pct:
            text = f"tasks waited for {kind} {pressure_pct:.0f} % of the time, not under {limit_pct:.0f} %"
            return Decision(GateVerdict.HOLD, Reason.PRESSURE, text, _figures(inputs, history))
    return None


def _figures(inputs: GateInput, history: History) -> dict[str, float]:
    worst = max(inputs.memory, key=lambda area: area.used_pct)
    return {
        "cpu_pct": round(inputs.cpu_pct, 1),
        "memory_pct": round(worst.used_pct, 1),
        "memory_used_bytes": worst.used_bytes,
        "memory_limit_bytes": worst.limit_bytes,
        "workers": len(history.workers),
        "workers_loading": sum(worker.ready_s is None for worker in history.workers),
        "growth_bytes": expected_growth_bytes(history),
        "need_bytes": history.estimate.private_bytes,
        "claimable_chunks": inputs.claimable_chunks,
        **{f"pressure_{kind}_pct": round(value, 1) for kind, value in inputs.pressure_pct.items()},
    }


def _mb(value_bytes: int) -> str:
    return f"{value_bytes / MB:,.0f} MB"
