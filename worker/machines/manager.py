"""The one that makes and ends machines: a round looks at the queue and the clouds, decides, and acts.

It keeps nothing between rounds that it could not lose: rows, wishes, decisions and faults are in the queue,
and what there really is is in the clouds' lists. Rows are written before a cloud is asked, with the name that
is the machine's tag and client token, so that a manager which dies at any instant leaves nothing unknown.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

from sqlalchemy import Connection

from worker.machines.configuration import GroupConfig, MachinesConfig
from worker.machines.decide import (
    MonthCost,
    carried_work,
    decide,
    has_proven,
    kept_memory,
    month_cost,
    month_start,
    scaling_input,
    with_limits_of,
)
from worker.machines.effects import Effects
from worker.machines.model import CloudListing, CloudState
from worker.machines.offers import Learned
from worker.machines.providers.base import Provider, ProviderError
from worker.machines.reconcile import GroupLimits, Reconciled, reconcile
from worker.machines.scaling import ScalingDecision
from worker.machines.wishing import fulfil
from worker.queue import DecisionNote, Queue, QueueUnavailable
from worker.queue.hosts import add_event, note_decision
from worker.queue.machines.lease import MachineBook, MachineView, NotManager, read_view
from worker.queue.machines.machines import (
    STAYING,
    GroupRow,
    MachineRow,
    MachineState,
    Offer,
    change_group,
    read_cost,
    read_learned,
)
from worker.queue.machines.places import read_learned_places, refusals_kept
from worker.queue.model import StatedNeed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """What a round would do about a group."""

    name: str
    config: GroupConfig
    group: GroupRow
    decision: ScalingDecision
    reconciled: Reconciled
    cost: MonthCost
    refusal: str  # why no machine is made although some are wanted; "" when they are
    offers: Sequence[Offer]
    need: StatedNeed  # the most that waiting work states
    costing: int  # what is stopped, or should be gone, and costs
    learned: Learned


class MachineManager:
    def __init__(
        self,
        queue: Queue,
        config: MachinesConfig,
        providers: Mapping[str, Provider],
        holder: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`holder`: a name that no other manager has. `environment`: of the supervisors of local machines."""
        self._queue = queue
        self._config = config
        self._providers = providers
        self._holder = holder
        self._book = MachineBook(queue.database)
        self._effects = Effects(self._book, config, providers, environment or {})
        self._readable_since_s: float | None = None
        self._unlisted: dict[str, str] = {}  # why, by provider

    def round(self) -> Sequence[GroupPlan] | None:
        """What was done, by group; None while another manager has the lease. Raises QueueUnavailable;
        NotManager when another has taken the lease meanwhile: since then this one changed nothing.
        """
        try:
            if not self._book.take_lease(self._holder, self._config.lease_s):
                return None
            view = self._book.view()
        except QueueUnavailable:
            self._readable_since_s = None
            raise
        if self._readable_since_s is None:
            self._readable_since_s = time.monotonic()
        for wish in view.wishes:
            self._book.write(partial(fulfil, wish=wish, config=self._config))
        if view.wishes:
            view = self._book.view()
        listings = self._list()
        plans = self.plan(view, listings)
        for plan in plans:
            self._note(plan, view)
            self._effects.act(plan.reconciled.actions, plan.group, view)
            if plan.reconciled.create and not plan.refusal:
                self._effects.create(
                    plan.name,
                    plan.config,
                    plan.reconciled.create,
                    view,
                    plan.decision.text,
                    plan.need,
                    plan.learned,
                    plan.cost,
                )
        self._effects.end_leftovers(listings, view)
        return plans

    def run(self, wait: Callable[[float], bool]) -> None:
        """Rounds until `wait(seconds)` says that it is over; a round that fails is said, and tried again."""
        while True:
            try:
                self.round()
            except (QueueUnavailable, NotManager) as error:
                log.warning("%s", error)
            if wait(self._config.every_s):
                break
        try:
            self._book.give_back_lease()
        except QueueUnavailable as error:
            log.warning("%s", error)

    def dry_run(self) -> Sequence[GroupPlan]:
        """What a round would do now; nothing is written, no cloud is asked for anything but its list."""
        return self.plan(self._queue.database.read(read_view), self._list())

    def plan(self, view: MachineView, listings: Mapping[str, CloudListing | None]) -> Sequence[GroupPlan]:
        """Of each group; one that the configuration has no more shrinks to nothing."""
        retired = {row.group_name for row in view.machines} - self._config.group.keys()
        retired |= {
            machine.group
            for listing in listings.values()
            for machine in (() if listing is None else listing.machines)
        } - self._config.group.keys()
        return [
            *(self._plan(name, group, view, listings) for name, group in self._config.group.items()),
            *(self._plan(name, None, view, listings) for name in sorted(retired)),
        ]

    def _plan(
        self,
        name: str,
        config: GroupConfig | None,
        view: MachineView,
        listings: Mapping[str, CloudListing | None],
    ) -> GroupPlan:
        group = view.groups.get(name, GroupRow(name))
        rows = [row for row in view.machines if row.group_name == name]
        first = next(iter(self._config.group.values()))
        config = with_limits_of(config or first.model_copy(update={"least": 0, "most": 0}), group)
        boot_s, rate = self._queue.database.read(lambda connection: read_learned(connection, name))
        learned = self._queue.database.read(lambda connection: read_learned_places(connection, name))
        offers = self._effects.offers(name, config, view, learned)
        work, need, refused = carried_work(view.work, offers)
        given = scaling_input(config, rows, view, boot_s or config.boot_s, rate or config.images_per_s, work)
        decision = decide(config, given, group.memory)
        if refused:
            decision = replace(decision, text=f"{decision.text}; {refused}")
        cost = self._cost(name, config, rows, view)
        if group.paused:
            decision = replace(decision, wanted=given.machines, text=f"paused; {decision.text}")
        kept = sum(row.kept and row.state in STAYING for row in rows)
        wanted = max(decision.wanted, kept)
        done = reconcile(
            limits_of(name, config), wanted, rows, listings, view.hosts, view.now, self._knows(config)
        )
        refusal = _refusal(group, cost, view.now)
        costing = still_costing(rows, listings, name) + self._effects.costing_of(config)
        return GroupPlan(name, config, group, decision, done, cost, refusal, offers, need, costing, learned)

    def _knows(self, config: GroupConfig) -> bool:
        """Whether hosts had time to report since the queue could be read again, or this manager started."""
        since_s = self._readable_since_s
        return since_s is not None and time.monotonic() - since_s >= config.silent_s

    def _cost(
        self, name: str, config: GroupConfig, rows: Sequence[MachineRow], view: MachineView
    ) -> MonthCost:
        spent = self._queue.database.read(
            lambda connection: read_cost(connection, name, month_start(view.now))
        )
        return month_cost(spent, sum(row.price_per_hour for row in rows), view.now, config.cost_most_month)

    def _list(self) -> dict[str, CloudListing | None]:
        listings: dict[str, CloudListing | None] = {}
        for name, provider in self._providers.items():
            try:
                listings[name] = provider.list()
                self._unlisted.pop(name, None)
            except ProviderError as error:
                listings[name] = None
                if self._unlisted.get(name) != str(error):
                    log.warning("%s: its machines are left as they are: %s", name, error)
                self._unlisted[name] = str(error)
        return listings

    def _note(self, plan: GroupPlan, view: MachineView) -> None:
        """The decision, for people; and what the rule has to remember."""
        group, decision, cost = plan.group, plan.decision, plan.cost
        text = f"{decision.text}; {plan.refusal}" if plan.refusal else decision.text
        figures = {
            **decision.figures,
            "cost_month": cost.spent,
            "cost_per_hour": cost.per_hour,
            "cost_projected": cost.projected,
            **({} if cost.most is None else {"cost_most": cost.most}),
            "costing": plan.costing,
            "least": plan.config.least,
            "most": plan.config.most,
        }
        rows = [row for row in view.machines if row.group_name == plan.name]
        staying = sum(row.state in STAYING for row in rows)
        values = {
            "wanted": decision.wanted,
            "reason": decision.reason.value,
            "text": text,
            "figures": figures,
            "offers": [asdict(offer) for offer in plan.offers],
            "decided_at": view.now,
        }
        if group.young_deaths and has_proven(
            rows, group.decided_at, view.now, limits_of("", plan.config).young_s
        ):
            values["young_deaths"] = 0
        note = DecisionNote(
            plan.name, "autoscale", decision.wanted >= staying, decision.reason.value, figures, text
        )

        def write(connection: Connection) -> None:
            memory = kept_memory(decision.memory) | refusals_kept(connection, plan.name)
            change_group(connection, plan.name, memory=memory, **values)
            note_decision(connection, note)
            if decision.wanted != group.wanted:
                add_event(connection, "scaled", f"{plan.name}: {decision.wanted} machines wanted: {text}")

        self._book.write(write)


def still_costing(rows: Sequence[MachineRow], listings: Mapping[str, CloudListing | None], group: str) -> int:
    """Machines that are off and that the cloud still has, and those that it would not end."""
    names = {row.name for row in rows if row.state is MachineState.DELETING and row.fault}
    for listing in listings.values():
        for machine in () if listing is None else listing.machines:
            if machine.group == group and machine.state in (CloudState.STOPPED, CloudState.FAILED):
                names.add(machine.name)
    return len(names)


def limits_of(name: str, config: GroupConfig) -> GroupLimits:
    return GroupLimits(
        name,
        config.most,
        config.boot_give_up_s,
        config.leave_s,
        config.silent_s,
        config.lost_s,
        config.missing_s,
        lifetime_s=None if config.lifetime_h is None else config.lifetime_h * 3600,
    )


def _refusal(group: GroupRow, cost: MonthCost, now: float) -> str:
    if group.paused:
        return "the group is paused"
    if group.stopped:
        return f"the group is stopped until it is resumed: {group.stopped}"
    if group.retry_at > now:
        return f"the next machine is made in {group.retry_at - now:.0f} s: {group.fault}"
    return cost.refusal
