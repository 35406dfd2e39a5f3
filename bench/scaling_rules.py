"""Rules of other scalers as their documents state them, asked on the same view as ours."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable

from bench.scaling_world import ASK_S, MOST, RATE, Rule, View
from worker.machines.scaling import DeadlineRule, Memory, ScalingInput, ScalingRule, ThresholdRule


def remembering(rule: ScalingRule) -> Rule:
    """One of our rules, with its memory kept from round to round."""
    memory = Memory()

    def ask(view: View) -> int:
        nonlocal memory
        decision = rule(view.given, memory)
        memory = decision.memory
        return decision.wanted

    return ask


def _images(given: ScalingInput) -> float:
    return sum(part.images for part in given.work)


class Backlog:
    """KEDA's and AWS's for queues: backlog by what a machine does in the time that may pass; in after five
    minutes.
    """

    def __init__(self, drain_s: float = 600, settle_s: float = 300) -> None:
        self._per_machine = RATE * drain_s
        self._settle_s = settle_s
        self._over_since_s: float | None = None

    def __call__(self, view: View) -> int:
        given = view.given
        wanted = math.ceil(_images(given) / self._per_machine)
        if wanted >= given.machines:
            self._over_since_s = None
            return wanted
        if self._over_since_s is None:
            self._over_since_s = given.now_s
        return wanted if given.now_s - self._over_since_s >= self._settle_s else given.machines


class AzureBatch:
    """The documented $PendingTasks formula: the larger of now and the mean of 15 minutes, by tasks a node;
    halved when there are none.
    """

    def __init__(self, images_a_node: float = 4 * 500) -> None:
        self._per_node = images_a_node
        self._past: deque[float] = deque(maxlen=15 * 60 // ASK_S)

    def __call__(self, view: View) -> int:
        tasks = _images(view.given) / self._per_node
        self._past.append(tasks)
        return math.ceil(max(tasks, statistics.fmean(self._past))) if tasks else view.given.machines // 2


class Cobald:
    """COBalD's LinearController: a utilisation under 0.5 lowers the demand, else an allocation over 0.5
    raises it, by one a minute.
    """

    def __init__(self) -> None:
        self._demand = 0

    def __call__(self, view: View) -> int:
        given = view.given
        none_up, work = given.up == 0, _images(given) > 0
        utilisation = 1.0 if given.cpu_share is None else given.cpu_share
        if utilisation < 0.5 or (none_up and not work):
            self._demand -= 1
        elif view.allocation > 0.5 or (none_up and work):
            self._demand += 1
        self._demand = min(max(self._demand, 0), MOST)
        return self._demand


class Oracle:
    """The deadline rule, told what arrives within the next five minutes."""

    def __init__(self) -> None:
        self._rule = DeadlineRule(most=MOST)
        self._memory = Memory()

    def __call__(self, view: View) -> int:
        given = view.given
        told = [*given.work, *view.coming(given.now_s + given.boot_s)]
        with_future = ScalingInput(
            given.now_s, told, given.machines, given.up, given.images_per_s, given.boot_s, given.cpu_share
        )
        decision = self._rule(with_future, self._memory)
        self._memory = decision.memory
        return decision.wanted


RULES: dict[str, Callable[[], Rule]] = {
    "deadline": lambda: remembering(DeadlineRule(most=MOST)),
    "thresholds": lambda: remembering(ThresholdRule(most=MOST)),
    "backlog": Backlog,
    "azure_batch": AzureBatch,
    "cobald": Cobald,
    "oracle": Oracle,
}
