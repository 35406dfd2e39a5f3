"""How many machines a group shall have, from what the queue says, and may have, by what it costs in a month
(of UTC): the rule's input, its memory as the queue keeps it, what an operator has set in place of the
configuration, and the cap on spending. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from worker.machines.configuration import GroupConfig
from worker.machines.scaling import Due, Memory, ScalingDecision, ScalingInput
from worker.queue.machines.lease import MachineView
from worker.queue.machines.machines import STAYING, GroupRow, MachineRow, MachineState, Offer, QueuedWork
from worker.queue.model import NO_NEED, StatedNeed
from worker.queue.policy import growing_pause_s

_PAUSES_S = (30.0, 1800.0)  # after a first failure, at most


def scaling_input(
    config: GroupConfig,
    rows: Sequence[MachineRow],
    view: MachineView,
    boot_s: float,
    images_per_s: float,
    work: Sequence[QueuedWork],
) -> ScalingInput:
    """`work`: what the group's machines can do."""
    staying = [row for row in rows if row.state in STAYING]
    up = [row for row in staying if row.state is MachineState.RUNNING]
    words = [view.hosts[row.name] for row in up if row.name in view.hosts]
    return ScalingInput(
        now_s=view.now,
        work=[Due(part.deadline, part.images) for part in work],
        machines=len(staying),
        up=len(up),
        images_per_s=images_per_s,
        boot_s=boot_s,
        cpu_share=sum(word.cpu_pct for word in words) / len(words) / 100 if words else None,
        idle=sum(word.idle_s >= config.idle_s and not word.workers for word in words),
    )


def carried_work(
    work: Sequence[QueuedWork], offers: Sequence[Offer]
) -> tuple[list[QueuedWork], StatedNeed, str]:
    """(what machines of these places can do, the most that it states, what none of them carries in words)"""
    carried: list[QueuedWork] = []
    need, most, images = NO_NEED, NO_NEED, 0
    for part in work:
        if any(part.need.fits(offer.room_of_worker) for offer in offers) or part.need == NO_NEED:
            carried.append(part)
            need = need.with_more(part.need)
        else:
            most, images = most.with_more(part.need), images + part.images
    refused = f"{images:,} images are not counted: their workers need {most}, and no place has that"
    return carried, need, refused if images else ""


def with_limits_of(config: GroupConfig, group: GroupRow) -> GroupConfig:
    """An operator's least and most go before the configuration's; the least gives way."""
    most = config.most if group.most is None else group.most
    least = min(config.least if group.least is None else group.least, most)
    return config.model_copy(update={"least": least, "most": most})


def decide(config: GroupConfig, given: ScalingInput, memory: Mapping[str, Any]) -> ScalingDecision:
    return config.scaling_rule(given, memory_of(memory))


def memory_of(kept: Mapping[str, Any]) -> Memory:
    return Memory(
        tuple((float(at), int(count)) for at, count in kept.get("enough", ())),
        kept.get("idle_since_s"),
        kept.get("acted_at_s"),
    )


def kept_memory(memory: Memory) -> dict[str, Any]:
    return {
        "enough": [list(row) for row in memory.enough],
        "idle_since_s": memory.idle_since_s,
        "acted_at_s": memory.acted_at_s,
    }


def pause_s(failures: int) -> float:
    """After so many failures in a row, from 1."""
    first, most = _PAUSES_S
    return growing_pause_s(first, failures, most)


def has_proven(rows: Sequence[MachineRow], since: float | None, now: float, young_s: float) -> bool:
    """Whether a machine has outlived its youth since that time: what is wrong is not the image."""
    return any(
        row.joined_at is not None and now - row.joined_at >= young_s > (since or 0) - row.joined_at
        for row in rows
        if row.state is MachineState.RUNNING
    )


def month_start(now: float) -> float:
    day = datetime.fromtimestamp(now, UTC)
    return day.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


def month_end(now: float) -> float:
    return month_start(month_start(now) + 32 * 86_400)


@dataclass(frozen=True, slots=True)
class MonthCost:
    spent: float  # since the month began
    per_hour: float  # of the machines there are
    projected: float  # at the month's end, should they all stay
    most: float | None  # the cap

    def with_another(self, price_per_hour: float) -> MonthCost:
        """With one machine more; what is projected is left as it was."""
        return replace(self, per_hour=self.per_hour + price_per_hour)

    @property
    def refusal(self) -> str:
        """Why the group does not grow; "" when it may. Another hour of what is there is reckoned in."""
        if self.most is None or self.spent + self.per_hour < self.most:
            return ""
        return (
            f"{self.spent:.2f} of {self.most:g} are spent this month, and {self.per_hour:.2f} an hour more:"
            " the group does not grow"
        )


def month_cost(spent: float, per_hour: float, now: float, most: float | None) -> MonthCost:
    return MonthCost(spent, per_hour, spent + per_hour * (month_end(now) - now) / 3600, most)
