"""What is to be done about a group's machines (pure): from their rows, the cloud's list, the hosts' own words
and the number that is wanted, actions with reasons.

Never more than `most`; nothing that works is deleted without draining; on a list that could not be read
nothing is deleted, forgotten or made; a machine that a list lacks is not forgotten until its cloud has
answered that it is gone, or has ended it; two of one name, which a cloud without client tokens can come to,
are both ended; at most max(1, a fifth) of a group begin to drain, and as many are deleted, in a round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from worker.machines.model import CloudListing, CloudMachine, CloudState, Leftover
from worker.queue.machines.machines import STAYING, HostWord, MachineRow, MachineState


class ActionKind(StrEnum):
    ASK = "ask"  # the cloud for a machine whose row is there
    CHANGE = "change"  # the row, to `values`
    DRAIN = "drain"
    DELETE = "delete"  # ask the cloud to end it
    END = "end"  # the same, for one that the list lacks: what the cloud answers ends the row
    ADOPT = "adopt"  # a row for a machine that the queue does not know


@dataclass(frozen=True, slots=True)
class MachineAction:
    kind: ActionKind
    machine: str
    provider: str
    reason: str  # a sentence
    provider_id: str | None = None
    fault: str = ""  # in the cloud's words
    is_young_death: bool = False
    cloud: CloudMachine | None = None  # of ADOPT
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """What a group's machines are judged by; see docs/machines.md."""

    name: str
    most: int
    boot_give_up_s: float = 600
    drain_s: float = 60
    silent_s: float = 30  # a host that says nothing for so long is not alive
    lost_s: float = 300  # one that runs and says nothing for so long is ended
    missing_s: float = 120  # a machine that the list lacks for so long is ended
    young_s: float = 300
    lifetime_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reconciled:
    actions: tuple[MachineAction, ...]
    create: int  # machines to be made


def reconcile(
    limits: GroupLimits,
    wanted: int,
    rows: Sequence[MachineRow],
    listings: Mapping[str, CloudListing | None],
    hosts: Mapping[str, HostWord],
    now: float,
    hosts_known: bool = True,
) -> Reconciled:
    """`rows` are the group's that are not gone. `listings`: None for a provider whose list could not be
    read. Without `hosts_known` (the queue was away a moment ago) no host is held for silent.
    """
    named: defaultdict[tuple[str, str], list[CloudMachine]] = defaultdict(list)
    for provider, listing in listings.items():
        for machine in () if listing is None else listing.machines:
            named[provider, machine.name].append(machine)
    budget = max(1, len(rows) // 5)
    actions: list[MachineAction] = []
    deletions = 0
    leaving: set[str] = set()  # those no longer counted among the staying
    for row in rows:
        listing = listings.get(row.provider)
        of_name = named.get((row.provider, row.name), [])
        cloud = next(
            (one for one in of_name if one.provider_id == row.provider_id), next(iter(of_name), None)
        )
        word = hosts.get(row.name)
        actions.extend(_heard(row, cloud, word))
        if listing is None:
            continue
        actions.extend(_seen(row, cloud, now))
        alive = _is_alive(limits, word, now, hosts_known)
        action = _end(limits, row, cloud, word, alive, now)
        if action is None and len(of_name) > 1 and row.state in (MachineState.BOOTING, MachineState.RUNNING):
            action = _drain(row, f"the cloud has {len(of_name)} machines of this name, which are told as one")
        if action is None:
            continue
        is_deletion = action.kind in (ActionKind.DELETE, ActionKind.END)
        if is_deletion and row.state is not MachineState.DELETING:
            if deletions == budget:
                continue
            deletions += 1
        if is_deletion or action.kind is ActionKind.DRAIN:
            leaving.add(row.name)
        actions.append(action)
    drains = sum(action.kind is ActionKind.DRAIN for action in actions)
    while drains > budget:  # of those whose time is over, the others wait
        last = max(index for index, action in enumerate(actions) if action.kind is ActionKind.DRAIN)
        leaving.discard(actions[last].machine)
        del actions[last]
        drains -= 1
    adopted = list(_adopted(limits, rows, listings, hosts))
    staying = [row for row in rows if row.state in STAYING and row.name not in leaving]
    surplus = len(staying) + len(adopted) - min(wanted, limits.most)
    for row in _first_to_go(staying, hosts)[: max(0, min(surplus, budget - drains))]:
        if listings.get(row.provider) is not None and row.state is not MachineState.WISHED:
            actions.append(_drain(row, f"{wanted} machines are wanted, {len(staying)} are there"))
    known = all(listings.get(row.provider) is not None for row in rows)
    room = limits.most - len(rows) - len(adopted)
    return Reconciled((*actions, *adopted), max(0, min(-surplus, room)) if known else 0)


def ended_leftovers(listing: CloudListing, rows: Sequence[MachineRow]) -> tuple[Leftover, ...]:
    """What outlived a machine that neither the queue nor the list knows; what is of nobody known is left."""
    there = {row.name for row in rows} | {machine.name for machine in listing.machines}
    return tuple(one for one in listing.leftovers if one.machine and one.machine not in there)


def _heard(row: MachineRow, cloud: CloudMachine | None, word: HostWord | None) -> Iterator[MachineAction]:
    """What the host says for itself is so, whatever the cloud says."""
    if word is None:
        return
    values: dict[str, Any] = {}
    if word.images_done > row.images_done or word.busy_s > row.busy_s:
        values.update(images_done=max(word.images_done, row.images_done), busy_s=max(word.busy_s, row.busy_s))
    if row.joined_at is None:
        values["joined_at"] = word.seen_at
    if row.state in (MachineState.WISHED, MachineState.BOOTING) and (cloud is not None or row.provider_id):
        values["state"] = MachineState.RUNNING
    if values:
        yield MachineAction(
            ActionKind.CHANGE, row.name, row.provider, "its supervisor has reported", values=values
        )


def _seen(row: MachineRow, cloud: CloudMachine | None, now: float) -> Iterator[MachineAction]:
    """What the list says about a machine, or does not."""
    values: dict[str, Any] = {}
    reason = "the cloud has it"
    if cloud is None:
        if row.missing_at is None and row.state is not MachineState.WISHED:
            values["missing_at"] = now
    else:
        if row.missing_at is not None:
            values["missing_at"] = None
        if row.provider_id != cloud.provider_id and row.state is not MachineState.DELETING:
            values["provider_id"] = cloud.provider_id
        if row.state is MachineState.WISHED:
            values["state"] = MachineState.BOOTING
    if values:
        yield MachineAction(ActionKind.CHANGE, row.name, row.provider, reason, values=values)


def _end(
    limits: GroupLimits,
    row: MachineRow,
    cloud: CloudMachine | None,
    word: HostWord | None,
    alive: bool,
    now: float,
) -> MachineAction | None:
    """How the machine is brought to its end, if it has to be."""
    if row.state is MachineState.WISHED:
        if cloud is None and not alive:
            return MachineAction(ActionKind.ASK, row.name, row.provider, "the cloud does not list it yet")
        return None
    if row.state is MachineState.DELETING:
        if cloud is None:
            return _delete(limits, row, cloud, "the cloud has ended it", now, row.fault)
        if cloud.state is CloudState.DELETING:
            return None
        if alive and row.provider_id not in (None, cloud.provider_id):
            return _drain(row, "another machine of its name works, and drains first")
        return _delete(limits, row, cloud, row.reason, now, row.fault)
    if row.state is MachineState.DRAINING:
        reason = _drained(limits, row, word, alive, now)
        if cloud is not None and cloud.state in (CloudState.FAILED, CloudState.STOPPED) and not alive:
            reason = reason or f"the cloud says {cloud.state} while it drains"
        return None if reason is None else _delete(limits, row, cloud, reason, now)
    if alive:
        if cloud is not None and cloud.state in (CloudState.FAILED, CloudState.STOPPED):
            return _drain(row, f"the cloud says {cloud.state}: {cloud.fault}")
        if limits.lifetime_s is not None and now - row.created_at > limits.lifetime_s:
            return _drain(row, f"it is older than {limits.lifetime_s / 3600:g} h")
        return None
    if cloud is None:
        if row.missing_at is not None and now - row.missing_at >= limits.missing_s:
            return _delete(limits, row, None, "the cloud lists it no more", now)
        return None
    if cloud.state is CloudState.FAILED:
        return _delete(limits, row, cloud, "the cloud gave up on it", now, cloud.fault)
    if cloud.state is CloudState.STOPPED:
        return _delete(limits, row, cloud, "it has stopped, and would still cost", now, cloud.fault)
    if row.joined_at is None and word is None:
        if now - row.created_at > limits.boot_give_up_s:
            said = f"it did not report within {limits.boot_give_up_s:g} s"
            return _delete(limits, row, cloud, said, now)
        return None
    if word is not None and now - word.seen_at > limits.lost_s:
        return _drain(row, f"its supervisor has said nothing for {now - word.seen_at:.0f} s")
    return None


def _drained(
    limits: GroupLimits, row: MachineRow, word: HostWord | None, alive: bool, now: float
) -> str | None:
    """Why a machine that drains may go now. One that has heard says nothing more until it is empty."""
    waited_s = now - (row.leave_at or now)
    if word is None:
        return "it had not reported before it was to go" if waited_s > limits.drain_s / 4 else None
    if word.leaving and word.workers == 0:
        return "it has drained"
    if not alive and waited_s > limits.drain_s:
        return f"it has said nothing since it was to drain {waited_s:.0f} s ago"
    if waited_s > 3 * limits.drain_s:
        return f"it does not drain, {waited_s:.0f} s after it was told to"
    return None


def _delete(
    limits: GroupLimits, row: MachineRow, cloud: CloudMachine | None, reason: str, now: float, fault: str = ""
) -> MachineAction:
    since = row.joined_at
    young = since is None or (row.state is not MachineState.DRAINING and now - since < limits.young_s)
    was_asked = row.state in (MachineState.DRAINING, MachineState.DELETING)
    kind = ActionKind.DELETE if cloud is not None else ActionKind.END
    provider_id = row.provider_id if cloud is None else cloud.provider_id
    return MachineAction(
        kind, row.name, row.provider, reason, provider_id, fault, is_young_death=young and not was_asked
    )


def _drain(row: MachineRow, reason: str) -> MachineAction:
    return MachineAction(ActionKind.DRAIN, row.name, row.provider, reason, row.provider_id)


def _first_to_go(staying: Sequence[MachineRow], hosts: Mapping[str, HostWord]) -> list[MachineRow]:
    """Those that have not joined, then those without workers, then the youngest; kept ones never."""

    def order(row: MachineRow) -> tuple[bool, bool, float]:
        word = hosts.get(row.name)
        return (word is not None, word is not None and word.workers > 0, -row.created_at)

    return sorted((row for row in staying if not row.kept), key=order)


def _adopted(
    limits: GroupLimits,
    rows: Sequence[MachineRow],
    listings: Mapping[str, CloudListing | None],
    hosts: Mapping[str, HostWord],
) -> Iterator[MachineAction]:
    """Machines with the group's tag that the queue has no row of, or held for gone."""
    known = {row.name for row in rows}
    for provider, listing in listings.items():
        for cloud in () if listing is None else listing.machines:
            ours = cloud.group == limits.name and cloud.name not in known
            if ours and cloud.state is not CloudState.DELETING:
                word = hosts.get(cloud.name)
                state = MachineState.RUNNING if word else MachineState.BOOTING
                yield MachineAction(
                    ActionKind.ADOPT,
                    cloud.name,
                    provider,
                    "the cloud has it with this fleet's tag, and the queue did not know it",
                    cloud.provider_id,
                    cloud=cloud,
                    values={"state": state, "joined_at": word.seen_at if word else None},
                )


def _is_alive(limits: GroupLimits, word: HostWord | None, now: float, hosts_known: bool) -> bool:
    return word is not None and (not hosts_known or now - word.seen_at < limits.silent_s)
