"""What the manager does: it asks clouds for machines and for their end, and keeps the rows true meanwhile."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from worker.machines.configuration import GroupConfig, MachinesConfig, PlaceConfig
from worker.machines.decide import MonthCost, pause_s
from worker.machines.model import CloudListing, CloudMachine, MachineError, MachineOrder, MachineSize
from worker.machines.offers import Learned, Offers, place_views
from worker.machines.placement import choose_place
from worker.machines.providers.base import (
    Provider,
    ProviderError,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnavailable,
)
from worker.machines.reconcile import ActionKind, MachineAction, ended_leftovers
from worker.queue.database.sql import read_now, storable
from worker.queue.hosts import add_event
from worker.queue.machines.lease import MachineBook, MachineView
from worker.queue.machines.machines import (
    GroupRow,
    MachineRow,
    MachineState,
    Offer,
    add_machine,
    change_group,
    change_machine,
)
from worker.queue.machines.places import PlaceRefusal, forget_refusal, note_refusal, refusals_of
from worker.queue.model import StatedNeed

log = logging.getLogger(__name__)
YOUNG_DEATHS = 3  # in a row stop a group
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


def new_row(fleet: str, group: str, place: PlaceConfig, reason: str) -> MachineRow:
    """`size` is the place's name until a machine is asked for."""
    token = "".join(secrets.choice(_LETTERS) for _ in range(6))
    return MachineRow(
        name=f"{fleet[:20]}-{group}-{token}",
        group_name=group,
        provider=place.provider,
        size=place.name,
        state=MachineState.WISHED,
        created_at=0,
        reason=reason,
        spot=place.spot,
        price_per_hour=place.price_per_hour,
    )


class Effects:
    def __init__(
        self,
        book: MachineBook,
        config: MachinesConfig,
        providers: Mapping[str, Provider],
        environment: Mapping[str, str],
    ) -> None:
        self._book = book
        self._config = config
        self._providers = providers
        self._environment = environment
        self._offers = Offers(config, providers)
        self._refused: dict[str, PlaceRefusal] = {}  # by place, as the queue keeps it
        self._costing: dict[str, int] = {}  # provider -> what outlived its machine and could not be ended

    def offers(self, name: str, config: GroupConfig, view: MachineView, learned: Learned) -> list[Offer]:
        """The group's places as they are now."""
        self._refused = refusals_of(view.groups, view.now)
        return self._offers.of_group(name, config, view, self._refused, learned)

    def create(
        self,
        name: str,
        config: GroupConfig,
        count: int,
        view: MachineView,
        why: str,
        need: StatedNeed,
        learned: Learned,
        cost: MonthCost,
    ) -> None:
        """Row first, then the machine; as far as places have room and the month's cap leaves money, those
        first that have all of `need`.
        """
        for _ in range(count):
            if cost.refusal:
                self._book.write(partial(change_group, name=name, fault=storable(cost.refusal)))
                return
            offers = self._offers.of_group(name, config, view, self._refused, learned, now=True)
            carrying = [offer for offer in offers if need.fits(offer.room_of_worker)] or offers
            places = place_views(name, carrying, view, self._refused)
            choice = choose_place(places, config.placement, config.spot_share, view.now)
            if choice.place is None:
                self._book.write(partial(change_group, name=name, fault=storable(choice.reason)))
                return
            place = next(place for place in config.place if place.name == choice.place)
            row = new_row(self._config.fleet, name, place, why)
            self._book.write(partial(add_machine, row=row))
            cost = cost.with_another(row.price_per_hour)
            view = replace(view, machines=(*view.machines, row))
            self._ask(row)

    def act(self, actions: Sequence[MachineAction], group: GroupRow, view: MachineView) -> None:
        """Each action by itself: what one cloud refuses holds up no other."""
        rows = {row.name: row for row in view.machines}
        deaths = group.young_deaths
        for action in actions:
            if action.is_young_death:
                deaths += 1
                self._died_young(group.name, action, deaths)
            if action.kind is ActionKind.ADOPT:
                self._adopt(group.name, action)
            elif action.kind is ActionKind.ASK:
                self._ask(rows[action.machine])
            elif action.kind is ActionKind.CHANGE:
                self._change(action.machine, action.reason, **action.values)
            elif action.kind is ActionKind.DRAIN:
                self._change(action.machine, action.reason, state=MachineState.DRAINING, leave_at=view.now)
            else:
                self._delete(action)

    def costing_of(self, config: GroupConfig) -> int:
        """What outlived machines in the group's clouds, and is of nobody known or could not be ended."""
        return sum(self._costing.get(name, 0) for name in {place.provider for place in config.place})

    def end_leftovers(self, listings: Mapping[str, CloudListing | None], view: MachineView) -> None:
        """What outlived a machine that the queue and the list know no more."""
        for name, listing in listings.items():
            if listing is None:
                continue
            self._costing[name] = sum(not one.machine for one in listing.leftovers)
            for leftover in ended_leftovers(listing, view.machines):
                try:
                    self._providers[name].delete_leftover(leftover)
                    said = f"{leftover.kind} {leftover.name} of {leftover.machine} is deleted"
                except ProviderError as error:
                    said = f"{leftover.kind} {leftover.name} still costs: {error}"
                    self._costing[name] += 1
                self._book.write(partial(add_event, kind="leftover", message=said))

    def _ask(self, row: MachineRow) -> None:
        sold: dict[str, object] = {}
        try:
            size = self._size(row)
            sold = {
                "cloud_size": size.name, "cores": size.cores, "memory_gb": size.memory_gb,
                "storage_gb": size.storage_gb, "bandwidth_mbps": size.bandwidth_mbps, "gpus": size.gpus,
            }  # fmt: skip
            provider_id = self._offers.provider(row.provider).create(self._order(row, size.name))
        except ProviderUnavailable as error:  # perhaps it was made: the list, or asking again, will tell
            log.warning("%s: %s", row.name, error)
            self._change(row.name, str(error), fault=str(error))
            return
        except MachineError as error:
            self._note_refusal(row, error)
            self._change(row.name, f"refused: {error}", state=MachineState.GONE, fault=str(error))
            return
        if self._refused.pop(row.size, None) is not None:
            self._book.write(partial(forget_refusal, place=row.size))
        self._change(
            row.name,
            "the cloud has accepted it",
            state=MachineState.BOOTING,
            provider_id=provider_id,
            **sold,
        )

    def _note_refusal(self, row: MachineRow, error: MachineError) -> None:
        """The place is asked again after a pause; quota and capacity say nothing about other places."""
        known = self._refused.get(row.size)
        times = 1 if known is None else known.times + 1
        wait_s = pause_s(times)
        if isinstance(error, ProviderThrottled) and error.retry_after_s is not None:
            wait_s = max(wait_s, error.retry_after_s)

        def note(connection: Connection) -> PlaceRefusal:
            refusal = PlaceRefusal(times, read_now(connection) + wait_s, storable(str(error)) or "")
            note_refusal(connection, row.group_name, row.size, refusal)
            change_group(connection, row.group_name, fault=refusal.why)
            add_event(connection, "machine_refused", f"{row.name}: {error}", host=row.name)
            return refusal

        self._refused[row.size] = self._book.write(note)

    def _delete(self, action: MachineAction) -> None:
        """The row first: a machine that is being ended is never taken for one that works."""
        self._change(action.machine, action.reason, state=MachineState.DELETING, **_fault(action.fault))
        if action.provider_id is not None:
            try:
                self._offers.provider(action.provider).delete(action.provider_id)
            except ProviderError as error:
                log.warning("%s is not deleted yet: %s", action.machine, error)
                self._change(action.machine, str(error), fault=str(error))
                return
        if action.kind is ActionKind.END:
            self._change(action.machine, action.reason, state=MachineState.GONE)

    def _adopt(self, group: str, action: MachineAction) -> None:
        cloud = action.cloud
        assert cloud is not None
        config = self._config.group.get(group)
        fitting = (
            place
            for place in (config.place if config else ())
            if place.provider == action.provider and place.size in ("", cloud.size)
        )
        place = min(fitting, key=lambda one: self._differs(one, cloud), default=None)
        row = MachineRow(
            name=action.machine,
            group_name=group,
            provider=action.provider,
            size=place.name if place else cloud.size,
            price_per_hour=place.price_per_hour if place else 0,
            state=action.values["state"],
            created_at=0,
            provider_id=action.provider_id,
            reason=action.reason,
            spot=cloud.spot,
            joined_at=action.values["joined_at"],
        )
        self._book.write(lambda connection: add_machine(connection, row))

    def _differs(self, place: PlaceConfig, cloud: CloudMachine) -> tuple[bool, bool]:
        """In size and in kind, for a machine has the price of the place that it is of."""
        try:
            size = self._offers.size(place).name
        except ProviderError:
            size = place.size
        return size != cloud.size, place.spot is not cloud.spot

    def _died_young(self, group: str, action: MachineAction, deaths: int) -> None:
        fault = action.fault or action.reason

        def note(connection: Connection) -> None:
            retry_at = read_now(connection) + pause_s(deaths)
            if deaths >= YOUNG_DEATHS:
                said = f"{deaths} machines in a row died young, the last: {fault}"
                change_group(connection, group, stopped=storable(said))
                add_event(connection, "group_stopped", f"{group}: {said}; `machines resume {group}`")
            change_group(connection, group, young_deaths=deaths, fault=storable(fault), retry_at=retry_at)
            add_event(connection, "machine_died_young", f"{action.machine}: {fault}", host=action.machine)

        self._book.write(note)

    def _change(self, name: str, reason: str, **values: object) -> None:
        self._book.write(lambda connection: change_machine(connection, name, reason, **values))

    def _place(self, row: MachineRow) -> tuple[GroupConfig, PlaceConfig]:
        config = self._config.group.get(row.group_name)
        place = next((place for place in config.place if place.name == row.size), None) if config else None
        if config is None or place is None:
            raise ProviderRefused(f"group {row.group_name} has no place {row.size} any more")
        return config, place

    def _size(self, row: MachineRow) -> MachineSize:
        return self._offers.size(self._place(row)[1])

    def _order(self, row: MachineRow, size: str) -> MachineOrder:
        config, place = self._place(row)
        return MachineOrder(
            name=row.name,
            group=row.group_name,
            size=size,
            user_data=rendered_user_data(config, row.name),
            environment={**self._environment, "WORKER_HOST_NAME": row.name},
            leave_idle_s=config.leave_idle_s,
            spot=place.spot,
            storage_gb=self._config.preset[place.preset].storage_gb if place.preset else 0,
        )


def _fault(text: str) -> dict[str, str]:
    return {"fault": text} if text else {}


def rendered_user_data(config: GroupConfig, name: str) -> str:
    """Of the machine of that name; "" where the group has none. Raises ProviderRefused."""
    if config.user_data is None:
        return ""
    try:
        text = config.user_data.read_text()
    except OSError as error:
        raise ProviderRefused(f"user_data {config.user_data}: {error.strerror}") from None
    return text.replace("{name}", name).replace("{leave_idle_s}", f"{config.leave_idle_s:g}")
