"""How many machines a group shall have: two rules of one interface, decisions without effects (pure).

`deadline` looks at the work that is left and when it is due: for each deadline, the machines that have it
done in time, at the rate and boot time that were learned. `thresholds` is the classical rule over CPU use,
for machines whose work is not in this queue. Both say why in a sentence, on which figures, and when they will
look again; what they have to remember is a value that the caller keeps (`Memory`).

Times are seconds; `now_s` and deadlines are of one clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from cloud_monitor.system.text import counted, duration_text

_SHORTEST_S = 60.0  # time to a deadline is never reckoned as less


class ScalingReason(StrEnum):
    """What decided."""

    NO_WORK = "no_work"  # nothing is left to do
    DEADLINE = "deadline"  # work with a deadline, or that should be done within `drain_s`
    SETTLING = "settling"  # fewer would do, but not for long enough yet
    KEEPING_IDLE = "keeping_idle"  # no work, but not for long enough yet
    IDLE = "idle"  # machines without work, long enough
    CPU_HIGH = "cpu_high"
    CPU_LOW = "cpu_low"
    CPU_BETWEEN = "cpu_between"
    COOLING = "cooling"  # an action was taken too short a time ago
    FIRST = "first"  # work, and no machine whose CPU could be looked at
    LEAST = "least"  # the group's least number
    MOST = "most"  # the group's greatest number


class Due(NamedTuple):
    """Images that are to be done by one time."""

    deadline_s: float | None  # None: whenever
    images: float


@dataclass(frozen=True, slots=True)
class ScalingInput:
    """What a rule decides on. Machines that are leaving are in none of the numbers."""

    now_s: float
    work: Sequence[Due]  # images without a result, those being worked on included
    machines: int  # asked for: booting and up
    up: int  # of them, those that have reported
    images_per_s: float  # of one machine, as learned
    boot_s: float  # from being asked for to its first report, as learned
    cpu_share: float | None = None  # mean over those up, 0..1; None: not known
    idle: int = 0  # of those up, without work for so long that they may go


@dataclass(frozen=True, slots=True)
class Memory:
    """What a rule knows of earlier rounds."""

    enough: tuple[tuple[float, int], ...] = ()  # (time, machines that would have been enough), oldest first
    idle_since_s: float | None = None
    acted_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class ScalingDecision:
    """So many machines, why, and on what figures."""

    wanted: int
    reason: ScalingReason
    text: str
    figures: Mapping[str, float]
    memory: Memory = field(default_factory=Memory)


class ScalingRule(Protocol):
    def __call__(self, given: ScalingInput, memory: Memory) -> ScalingDecision: ...


@dataclass(frozen=True, slots=True)
class DeadlineRule:
    """As few machines as have each deadline's work done in `aim` of the time that is left.

    More are asked for at once; fewer only when they were enough for all of `settle_s`, reckoned with the
    larger `spare_in`, since work costs the same sooner and a machine that is asked for again costs its boot.
    """

    least: int = 0
    most: int = 20
    aim: float = 0.57  # share of the time left in which work is to be done
    spare: float = 1.15  # for boots that fail and machines that are taken away
    spare_in: float = 2.5  # the same, when machines are to go
    settle_s: float = 300
    drain_s: float = 7200  # within which work without a deadline is to be done
    idle_s: float = 60  # without any work, after which all but the least go
    every_s: float = 60

    def __call__(self, given: ScalingInput, memory: Memory) -> ScalingDecision:
        images = sum(part.images for part in given.work)
        if images <= 0:
            return self._without_work(given, memory)
        needed, deadline_s = machines_needed(given, self.aim, self.spare, self.drain_s)
        enough, _ = machines_needed(given, self.aim, self.spare_in, self.drain_s)
        kept = (*memory.enough, (given.now_s, min(enough, self.most)))
        memory = Memory(tuple(row for row in kept if row[0] > given.now_s - self.settle_s))
        figures = {
            "images": images,
            "images_per_s": given.images_per_s,
            "boot_s": given.boot_s,
            "needed": needed,
            "enough": enough,
            "machines": given.machines,
            "up": given.up,
            "due_in_s": deadline_s - given.now_s,
        }
        work = (
            f"{images:,.0f} images; those due in {duration_text(deadline_s - given.now_s)} need "
            f"{counted(needed, 'machine')} at {given.images_per_s:.3g} images/s each"
        )
        wanted, reason, text = needed, ScalingReason.DEADLINE, work
        if needed < given.machines:
            # the memory reaches back over all of settle_s once its oldest row is nearly that old
            settled = given.now_s - memory.enough[0][0] >= self.settle_s - self.every_s
            largest = max(count for _, count in memory.enough)
            wanted = min(given.machines, max(largest, needed)) if settled else given.machines
            if wanted == given.machines:
                reason = ScalingReason.SETTLING
                settle = duration_text(self.settle_s)
                text = f"{work}; {given.machines} stay until fewer were enough for {settle}"
        return self._within(wanted, reason, text, figures, memory)

    def _without_work(self, given: ScalingInput, memory: Memory) -> ScalingDecision:
        since_s = given.now_s if memory.idle_since_s is None else memory.idle_since_s
        idle_s = given.now_s - since_s
        figures = {"images": 0.0, "idle_s": idle_s, "machines": given.machines, "up": given.up}
        kept = Memory(idle_since_s=since_s)
        if given.machines <= self.least or idle_s >= self.idle_s:
            return self._within(0, ScalingReason.NO_WORK, "no work is left", figures, kept)
        text = f"no work is left for {duration_text(idle_s)}; machines stay for {duration_text(self.idle_s)}"
        return self._within(given.machines, ScalingReason.KEEPING_IDLE, text, figures, kept)

    def _within(
        self, wanted: int, reason: ScalingReason, text: str, figures: Mapping[str, float], memory: Memory
    ) -> ScalingDecision:
        return _limited(wanted, reason, text, figures, memory, self.least, self.most)


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """One more machine over `up_share` of CPU, one fewer under `down_share`, and a pause between two actions;
    machines without work go at once.
    """

    least: int = 0
    most: int = 20
    up_share: float = 0.8
    down_share: float = 0.2
    cooldown_s: float = 60

    def __call__(self, given: ScalingInput, memory: Memory) -> ScalingDecision:
        images = sum(part.images for part in given.work)
        figures = {"images": images, "machines": float(given.machines), "up": float(given.up)}
        kept, acted = Memory(acted_at_s=memory.acted_at_s), Memory(acted_at_s=given.now_s)
        if given.machines == 0:
            first = 1 if images > 0 else 0
            text = "work, and no machine" if first else "no work is left"
            reason = ScalingReason.FIRST if first else ScalingReason.NO_WORK
            return self._within(first, reason, text, figures, acted if first else kept)
        if given.idle and given.machines > self.least:
            text = f"{given.idle} of {given.up} machines have no work"
            return self._within(given.machines - given.idle, ScalingReason.IDLE, text, figures, kept)
        if given.cpu_share is None:
            text = "no machine has told its CPU use yet"
            return self._within(given.machines, ScalingReason.CPU_BETWEEN, text, figures, kept)
        figures["cpu_pct"] = 100 * given.cpu_share
        used = f"{100 * given.cpu_share:.0f} % of the CPUs of {given.up} machines are used"
        if memory.acted_at_s is not None and given.now_s - memory.acted_at_s < self.cooldown_s:
            rest = duration_text(self.cooldown_s - given.now_s + memory.acted_at_s)
            return self._within(
                given.machines, ScalingReason.COOLING, f"{used}; next action in {rest}", figures, kept
            )
        if given.cpu_share > self.up_share:
            text = f"{used}, over {100 * self.up_share:.0f} %"
            return self._within(given.machines + 1, ScalingReason.CPU_HIGH, text, figures, acted)
        if given.cpu_share < self.down_share:
            text = f"{used}, under {100 * self.down_share:.0f} %"
            return self._within(given.machines - 1, ScalingReason.CPU_LOW, text, figures, acted)
        return self._within(given.machines, ScalingReason.CPU_BETWEEN, used, figures, kept)

    def _within(
        self, wanted: int, reason: ScalingReason, text: str, figures: Mapping[str, float], memory: Memory
    ) -> ScalingDecision:
        return _limited(wanted, reason, text, figures, memory, self.least, self.most)


def machines_needed(given: ScalingInput, aim: float, spare: float, drain_s: float) -> tuple[int, float]:
    """(machines, the deadline that asks for them): the smallest number that has the work of every deadline
    done in `aim` of the time left. Machines that are up work from now on, others only after a boot.
    """
    due = sorted((_deadline(part, given.now_s, drain_s), part.images) for part in given.work)
    rate = given.images_per_s / spare
    total, needed, decisive_s = 0.0, 0.0, given.now_s + drain_s
    for deadline_s, images in due:
        total += images
        left_s = max(aim * (deadline_s - given.now_s), _SHORTEST_S)
        have = given.up * rate * left_s
        if total <= have:
            machines = total / (rate * left_s)
        else:
            machines = given.up + (total - have) / (rate * max(left_s - given.boot_s, _SHORTEST_S))
        if machines > needed:
            needed, decisive_s = machines, deadline_s
    return math.ceil(needed - 1e-9), decisive_s


def _deadline(part: Due, now_s: float, drain_s: float) -> float:
    within_s = now_s + drain_s
    return within_s if part.deadline_s is None else min(part.deadline_s, within_s)


def _limited(
    wanted: int,
    reason: ScalingReason,
    text: str,
    figures: Mapping[str, float],
    memory: Memory,
    least: int,
    most: int,
) -> ScalingDecision:
    """The decision within the group's limits, which are named where they decide."""
    if wanted > most:
        return ScalingDecision(most, ScalingReason.MOST, f"{text}; at most {most}", figures, memory)
    if wanted < least:
        return ScalingDecision(least, ScalingReason.LEAST, f"{text}; at least {least}", figures, memory)
    return ScalingDecision(wanted, reason, text, figures, memory)
