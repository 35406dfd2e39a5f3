"""A simulated cloud and queue for scaling rules: traces of work, machines that boot, fail, are taken away and
billed.

A machine does RATE images a second once it is up (the fleet this project grew from: 8 machines of 16 cores,
15 images/s). It takes 2 to 5 minutes to come up, in one case of twenty never does and is given up after ten
minutes, is taken away with 5 % an hour, and is billed by the started minute from its creation. Work is
batches with a deadline, served earliest deadline first and divisible by the image, as the fleet's chunks are.
"""

from __future__ import annotations

import heapq
import math
import random
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from worker.machines.scaling import Due, ScalingInput

STEP_S, ASK_S, HOUR_S = 10, 60, 3600
RATE, PRICE_PER_HOUR, MOST = 1.875, 0.84, 20  # images/s and USD of a machine; machines
BOOT_S, BOOT_FAILS, GIVE_UP_S = (120.0, 300.0), 0.05, 600
TAKEN_AN_HOUR, DRAIN_S, IDLE_S = 0.05, 20, 60
REVERSAL_S = 1800  # an action against one of the last half hour


@dataclass(order=True, slots=True)
class Batch:
    deadline_s: float
    arrived_s: float
    images: float
    left: float = field(compare=False, default=0)
    done_s: float | None = field(compare=False, default=None)


@dataclass(slots=True)
class SimulatedMachine:
    created_s: float
    up_s: float  # infinite: never comes up
    leaving_s: float | None = None
    idle_since_s: float | None = None
    busy: deque[float] = field(default_factory=lambda: deque(maxlen=ASK_S // STEP_S))


@dataclass(frozen=True, slots=True)
class View:
    """What a rule may look at; `coming` is for one that is told the future."""

    given: ScalingInput
    allocation: float  # share of the machines up that have any work
    coming: Callable[[float], list[Due]]  # work that arrives until then


Rule = Callable[[View], int]


@dataclass(frozen=True, slots=True)
class Outcome:
    cost_usd: float
    least_usd: float  # of the work alone
    late_pct: float  # images of batches that were late, of all
    wait_p95_s: float
    reversals: int
    boots: int


def simulate(rule: Rule, trace: list[Batch], seed: int, hours: float) -> Outcome:
    """Run a rule, asked each minute, over a trace to its end."""
    chance = random.Random(seed)
    coming = deque(sorted(trace, key=lambda batch: batch.arrived_s))
    queue: list[Batch] = []
    machines: list[SimulatedMachine] = []
    now_s, minutes, reversals, boots = 0.0, 0, 0, 0
    last_action = (0, -math.inf)
    until_s = hours * HOUR_S
    while (now_s < until_s or queue or coming) and now_s < max(hours, 12) * 2 * HOUR_S:
        while coming and coming[0].arrived_s <= now_s:
            batch = coming.popleft()
            batch.left = batch.images
            heapq.heappush(queue, batch)
        ended = []
        for machine in machines:
            if machine.leaving_s is not None:
                if now_s - machine.leaving_s >= DRAIN_S:
                    ended.append(machine)
            elif machine.up_s > now_s:
                if now_s - machine.created_s >= GIVE_UP_S:
                    ended.append(machine)
            elif chance.random() < TAKEN_AN_HOUR * STEP_S / HOUR_S:
                ended.append(machine)
            else:
                did = _work(queue, RATE * STEP_S, now_s + STEP_S)
                machine.busy.append(did / (RATE * STEP_S))
                if did:
                    machine.idle_since_s = None
                elif machine.idle_since_s is None:
                    machine.idle_since_s = now_s
        for machine in ended:
            minutes += math.ceil((now_s - machine.created_s) / 60)
            machines.remove(machine)
        if now_s % ASK_S == 0:
            staying = [machine for machine in machines if machine.leaving_s is None]
            wanted = min(max(rule(_view(now_s, queue, staying, coming)), 0), MOST)
            direction = (wanted > len(staying)) - (wanted < len(staying))
            if direction:
                if direction == -last_action[0] and now_s - last_action[1] < REVERSAL_S:
                    reversals += 1
                last_action = (direction, now_s)
            for _ in range(wanted - len(staying)):
                boots += 1
                fails = chance.random() < BOOT_FAILS
                machines.append(
                    SimulatedMachine(now_s, math.inf if fails else now_s + chance.uniform(*BOOT_S))
                )
            for machine in _first_to_leave(staying, now_s)[: max(0, len(staying) - wanted)]:
                machine.leaving_s = now_s
        now_s += STEP_S
    minutes += sum(math.ceil((now_s - machine.created_s) / 60) for machine in machines)
    return _outcome(trace, minutes, now_s, reversals, boots)


def _work(queue: list[Batch], able: float, done_s: float) -> float:
    """Let a machine do so many images; how many there were for it."""
    did = 0.0
    while able > 1e-9 and queue:
        batch = queue[0]
        part = min(able, batch.left)
        batch.left -= part
        able -= part
        did += part
        if batch.left <= 1e-9:
            batch.done_s = done_s
            heapq.heappop(queue)
    return did


def _first_to_leave(machines: list[SimulatedMachine], now_s: float) -> list[SimulatedMachine]:
    """Those that boot before those that are up, idle ones before others, younger ones first."""
    return sorted(
        machines, key=lambda machine: (machine.up_s <= now_s, sum(machine.busy) > 0, -machine.created_s)
    )


def _view(now_s: float, queue: list[Batch], staying: list[SimulatedMachine], coming: deque[Batch]) -> View:
    up = [machine for machine in staying if machine.up_s <= now_s]
    idle = sum(m.idle_since_s is not None and now_s - m.idle_since_s >= IDLE_S for m in up)
    given = ScalingInput(
        now_s=now_s,
        work=[Due(batch.deadline_s, batch.left) for batch in queue],
        machines=len(staying),
        up=len(up),
        images_per_s=RATE,
        boot_s=BOOT_S[1],
        cpu_share=statistics.fmean(statistics.fmean(m.busy) if m.busy else 0.0 for m in up) if up else None,
        idle=idle,
    )
    allocation = sum(bool(m.busy) and m.busy[-1] > 0 for m in up) / len(up) if up else 0.0

    def until(time_s: float) -> list[Due]:
        return [Due(batch.deadline_s, batch.images) for batch in coming if batch.arrived_s <= time_s]

    return View(given, allocation, until)


def _outcome(trace: list[Batch], minutes: int, now_s: float, reversals: int, boots: int) -> Outcome:
    images = sum(batch.images for batch in trace)
    waits = sorted((now_s if batch.done_s is None else batch.done_s) - batch.arrived_s for batch in trace)
    late = sum(batch.images for batch in trace if batch.done_s is None or batch.done_s > batch.deadline_s)
    return Outcome(
        cost_usd=minutes / 60 * PRICE_PER_HOUR,
        least_usd=images / RATE / HOUR_S * PRICE_PER_HOUR,
        late_pct=100 * late / images,
        wait_p95_s=waits[int(0.95 * (len(waits) - 1))],
        reversals=reversals,
        boots=boots,
    )


# ---- traces: (batches, hours)


def steady(chance: random.Random) -> tuple[list[Batch], float]:
    """Five machines' work in chunks of 51 images, each due within 15 minutes; 24 hours."""
    at_s, batches = 0.0, []
    while at_s < 24 * HOUR_S:
        at_s += chance.expovariate(5 * RATE / 51)
        batches.append(Batch(at_s + 900, at_s, 51))
    return batches, 24


def daily(chance: random.Random) -> tuple[list[Batch], float]:
    """Three days of working hours, up to 12 machines' work with noise, each minute's due in 15 minutes."""
    batches = []
    for minute in range(3 * 1440):
        hour = minute / 60 % 24
        level = 12 * max(0.0, math.sin(math.pi * (hour - 7) / 12)) if 7 <= hour <= 19 else 0.2
        images = max(0, int(chance.gauss(level, 0.25 * level) * RATE * 60))
        if images:
            batches.append(Batch(minute * 60 + 900, minute * 60, images))
    return batches, 72


def bursty(chance: random.Random) -> tuple[list[Batch], float]:
    """24 bursts of 2,000 to 15,000 images at random times of a day, each due within 45 minutes."""
    times = [chance.uniform(0, 24 * HOUR_S) for _ in range(24)]
    return [Batch(at_s + 2700, at_s, chance.randint(2000, 15_000)) for at_s in times], 24


def big_6h(chance: random.Random) -> tuple[list[Batch], float]:
    """209,736 images at once, due within 6 hours."""
    return [Batch(6 * HOUR_S + 300, 300, 209_736)], 1


def big_2h(chance: random.Random) -> tuple[list[Batch], float]:
    """The same, due within 2 hours: the work of 16.4 machines."""
    return [Batch(2 * HOUR_S + 300, 300, 209_736)], 1


TRACES: dict[str, Callable[[random.Random], tuple[list[Batch], float]]] = {
    "steady": steady,
    "daily": daily,
    "bursty": bursty,
    "big_6h": big_6h,
    "big_2h": big_2h,
}
