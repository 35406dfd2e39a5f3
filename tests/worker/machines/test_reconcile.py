"""What is done about machines: each rule of safety by itself, and all of them under a cloud that lies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.short import examples
from worker.machines.model import CloudListing, CloudMachine, CloudState, Leftover
from worker.machines.reconcile import (
    ActionKind,
    GroupLimits,
    MachineAction,
    Reconciled,
    ended_leftovers,
    reconcile,
)
from worker.queue.machines.machines import HostWord, MachineRow, MachineState

NOW = 10_000.0
LIMITS = GroupLimits("g", most=20)


def row(name: str = "g-1", state: MachineState = MachineState.RUNNING, **values: object) -> MachineRow:
    base = MachineRow(name, "g", "here", "small", state, NOW - 1000, provider_id=f"i-{name}")
    joined = {"joined_at": NOW - 900.0} if state in (MachineState.RUNNING, MachineState.DRAINING) else {}
    return replace(base, **{**joined, **values})  # type: ignore[arg-type]


def listed(*names: str, state: CloudState = CloudState.RUNNING, fault: str = "") -> dict[str, CloudListing]:
    return {
        "here": CloudListing(
            tuple(CloudMachine(f"i-{name}", name, "g", state, fault=fault) for name in names)
        )
    }


def word(seen_ago_s: float = 1, workers: int = 1, leaving: bool = False) -> HostWord:
    return HostWord(NOW - seen_ago_s, workers, leaving, 50, 0, 0, 0)


def ends(done: Reconciled) -> list[MachineAction]:
    return [action for action in done.actions if action.kind is not ActionKind.CHANGE]


def test_a_list_that_could_not_be_read_makes_and_ends_nothing() -> None:
    rows = [row("g-1"), row("g-2", MachineState.BOOTING, created_at=0.0), row("g-3", MachineState.DELETING)]
    done = reconcile(LIMITS, 9, rows, {"here": None}, {"g-1": word()}, NOW)
    assert (ends(done), done.create) == ([], 0)


def test_an_empty_list_ends_nothing_that_reports_and_makes_nothing_in_its_place() -> None:
    rows = [row("g-1", missing_at=NOW - 1000), row("g-2")]
    done = reconcile(LIMITS, 2, rows, {"here": CloudListing()}, {"g-1": word(), "g-2": word(200)}, NOW)
    assert (ends(done), done.create) == ([], 0)


def test_what_a_list_lacks_for_long_and_says_nothing_is_ended_by_its_id() -> None:
    rows = [row("g-1", missing_at=NOW - 120)]
    (action,) = ends(reconcile(LIMITS, 1, rows, {"here": CloudListing()}, {"g-1": word(200)}, NOW))
    assert (action.kind, action.provider_id, action.is_young_death) == (ActionKind.END, "i-g-1", False)
    assert ends(reconcile(LIMITS, 1, rows, {"here": CloudListing()}, {"g-1": word(200)}, NOW, False)) == []


def test_a_machine_drains_before_it_is_deleted_and_says_itself_that_it_is_empty() -> None:
    (action,) = ends(reconcile(LIMITS, 0, [row()], listed("g-1"), {"g-1": word()}, NOW))
    assert action.kind is ActionKind.DRAIN
    draining = row(state=MachineState.DRAINING, leave_at=NOW - 70)
    for said in (word(), word(workers=0)):  # it has not heard yet
        assert ends(reconcile(LIMITS, 0, [draining], listed("g-1"), {"g-1": said}, NOW)) == []
    empty = {"g-1": word(workers=0, leaving=True)}
    (action,) = ends(reconcile(LIMITS, 0, [draining], listed("g-1"), empty, NOW))
    assert (action.kind, action.reason) == (ActionKind.DELETE, "it has drained")
    (action,) = ends(reconcile(LIMITS, 0, [draining], listed("g-1"), {"g-1": word(65)}, NOW))
    assert action.kind is ActionKind.DELETE
    begun = replace(draining, leave_at=NOW - 35)
    assert ends(reconcile(LIMITS, 0, [begun], listed("g-1"), {"g-1": word(40)}, NOW)) == []
    off = listed("g-1", state=CloudState.STOPPED)
    (action,) = ends(reconcile(LIMITS, 0, [begun], off, {"g-1": word(40)}, NOW))
    assert action.kind is ActionKind.DELETE


def test_a_machine_in_error_goes_at_once_with_the_clouds_words_unless_it_works() -> None:
    failed = listed("g-1", state=CloudState.FAILED, fault="No valid host was found")
    (action,) = ends(reconcile(LIMITS, 1, [row(state=MachineState.BOOTING)], failed, {}, NOW))
    assert (action.kind, action.fault, action.is_young_death) == (
        ActionKind.DELETE, "No valid host was found", True,
    )  # fmt: skip
    (action,) = ends(reconcile(LIMITS, 1, [row()], failed, {"g-1": word()}, NOW))
    assert action.kind is ActionKind.DRAIN


def test_a_stopped_machine_still_costs_and_is_ended() -> None:
    stopped = listed("g-1", state=CloudState.STOPPED)
    (action,) = ends(reconcile(LIMITS, 1, [row()], stopped, {"g-1": word(200)}, NOW))
    assert (action.kind, action.is_young_death) == (ActionKind.DELETE, False)


def test_a_machine_that_never_reports_dies_young() -> None:
    booting = row(state=MachineState.BOOTING, created_at=NOW - 601)
    (action,) = ends(reconcile(LIMITS, 1, [booting], listed("g-1"), {}, NOW))
    assert (action.kind, action.is_young_death) == (ActionKind.DELETE, True)


def test_at_most_a_fifth_of_a_group_goes_in_a_round() -> None:
    names = [f"g-{number:02}" for number in range(15)]
    rows = [row(name) for name in names]
    hosts = {name: word() for name in names}
    done = ends(reconcile(LIMITS, 0, rows, listed(*names), hosts, NOW))
    assert [action.kind for action in done] == [ActionKind.DRAIN] * 3
    old = replace(LIMITS, lifetime_s=10)
    assert len(ends(reconcile(old, 15, rows, listed(*names), hosts, NOW))) == 3
    failed = listed(*names, state=CloudState.FAILED)
    assert len(ends(reconcile(LIMITS, 15, rows, failed, {}, NOW))) == 3


def test_machines_that_boot_count_and_kept_ones_stay() -> None:
    rows = [row("g-1", MachineState.BOOTING, created_at=NOW), row("g-2", kept=True)]
    hosts = {"g-2": word()}
    assert reconcile(LIMITS, 3, rows, listed("g-1", "g-2"), hosts, NOW).create == 1
    (action,) = ends(reconcile(LIMITS, 0, rows, listed("g-1", "g-2"), hosts, NOW))
    assert (action.kind, action.machine) == (ActionKind.DRAIN, "g-1")


def test_what_has_our_tag_and_no_row_is_adopted_and_a_row_without_a_machine_is_asked_for() -> None:
    rows = [row("g-1", MachineState.WISHED, provider_id=None)]
    done = ends(reconcile(LIMITS, 1, rows, listed("g-9"), {}, NOW))
    assert [(action.kind, action.machine) for action in done] == [
        (ActionKind.ASK, "g-1"),
        (ActionKind.ADOPT, "g-9"),
    ]


def test_two_machines_of_one_name_are_drained_and_both_ended() -> None:
    both = (
        CloudMachine("i-twin", "g-1", "g", CloudState.RUNNING),
        CloudMachine("i-g-1", "g-1", "g", CloudState.RUNNING),
    )
    listing = {"here": CloudListing(both)}
    rows = [row("g-1")]
    (action,) = ends(reconcile(LIMITS, 1, rows, listing, {"g-1": word()}, NOW))
    assert (action.kind, action.reason[:34]) == (ActionKind.DRAIN, "the cloud has 2 machines of this n")
    rows = [row("g-1", MachineState.DRAINING, leave_at=NOW - 30)]
    drained = {"g-1": word(workers=0, leaving=True)}
    (action,) = ends(reconcile(LIMITS, 1, rows, listing, drained, NOW))
    assert (action.kind, action.provider_id) == (ActionKind.DELETE, "i-g-1")
    rows = [row("g-1", MachineState.DELETING, leave_at=NOW - 30)]
    (action,) = ends(reconcile(LIMITS, 1, rows, {"here": CloudListing(both[:1])}, {}, NOW))
    assert (action.kind, action.provider_id) == (ActionKind.DELETE, "i-twin")


@given(
    st.lists(st.sampled_from(["", "g-1", "g-2", "g-3"]), max_size=6),
    st.sets(st.sampled_from(["g-1", "g-2", "g-3"])),
    st.sets(st.sampled_from(["g-1", "g-2", "g-3"])),
)
def test_what_is_left_over_is_ended_only_when_its_machine_is_known_nowhere(
    leftovers: list[str], in_queue: set[str], in_list: set[str]
) -> None:
    parts = tuple(Leftover("disk", str(number), "d", name) for number, name in enumerate(leftovers))
    listing = replace(listed(*sorted(in_list))["here"], leftovers=parts)
    ended = ended_leftovers(listing, [row(name) for name in in_queue])
    assert {part.machine for part in ended} == set(leftovers) - in_queue - in_list - {""}


def test_draining_machines_count_for_the_most_there_may_be() -> None:
    rows = [row("g-1", MachineState.DRAINING, leave_at=NOW), row("g-2")]
    hosts = {"g-1": word(), "g-2": word()}
    assert reconcile(replace(LIMITS, most=2), 5, rows, listed("g-1", "g-2"), hosts, NOW).create == 0


@dataclass
class _Real:
    """A machine as it really is."""

    name: str
    boots_in: int  # rounds
    fails: bool
    dead: bool = False
    heard: bool = False
    draining_for: int = 0
    seen_at: float | None = None


class _World:
    """A cloud that lies, its machines, and a manager that does what `reconcile` says, or dies between."""

    def __init__(self, most: int) -> None:
        self.now = 1_000_000.0
        self.limits = GroupLimits("g", most)
        self.rows: dict[str, MachineRow] = {}
        self.real: dict[str, _Real] = {}
        self.number = 0
        self.killed_working: list[str] = []
        self.most_made = 0  # known when one was made; a twin that an empty list hid is found after that

    def listing(self, lie: str, hidden: int) -> CloudListing | None:
        if lie == "unreadable":
            return None
        machines = [
            CloudMachine(number, real.name, "g", CloudState.FAILED if real.fails else CloudState.RUNNING)
            for number, real in sorted(self.real.items())
        ]
        if lie == "empty":
            machines = []
        if lie == "partial" and machines:
            del machines[hidden % len(machines)]
        return CloudListing(tuple(machines))

    def round(
        self, wanted: int, lie: str, hidden: int, kill_after: int, evicted: int, boot_fails: bool
    ) -> None:
        self.now += 30
        self._live(evicted)
        hosts = {
            real.name: HostWord(
                real.seen_at, 0 if real.draining_for > 1 else 1, real.draining_for > 1, 50, 0, 0, 0
            )
            for real in self.real.values()
            if real.seen_at is not None
        }
        listing = self.listing(lie, hidden)
        done = reconcile(self.limits, wanted, list(self.rows.values()), {"here": listing}, hosts, self.now)
        steps = [*done.actions, *[None] * done.create]
        for step in steps[:kill_after]:
            if step is None:
                self.number += 1
                name = f"g-{self.number}"
                self.rows[name] = MachineRow(name, "g", "here", "s", MachineState.WISHED, self.now)
                self.most_made = max(self.most_made, len(self.rows))
                if hidden % 3:  # else the manager dies before it asks
                    self.real.setdefault(name, _Real(name, 4, boot_fails))
            else:
                self._do(step, twins=hidden % 4 == 0)

    def _live(self, evicted: int) -> None:
        names = sorted(self.real)
        if evicted and names:
            self.real.pop(names[evicted % len(names)])
        for real in self.real.values():
            real.boots_in -= 1
            row = self.rows.get(real.name)
            if real.boots_in == 0 and row is not None and row.leave_at is not None:
                real.draining_for = 2  # it hears that before it begins with anything
            if real.boots_in <= 0 and not real.fails and real.draining_for <= 1:
                real.draining_for += row is not None and row.leave_at is not None
                real.seen_at = self.now

    def _do(self, action: MachineAction, twins: bool) -> None:
        """With `twins` the cloud makes another machine of a name that it has already."""
        name = action.machine
        if action.kind is ActionKind.ADOPT:
            state = action.values["state"]
            number = action.provider_id
            self.rows[name] = MachineRow(name, "g", "here", "s", state, self.now, provider_id=number)
        elif action.kind is ActionKind.ASK:
            number = f"{name}, {len(self.real)}" if twins and name in self.real else name
            self.real.setdefault(number, _Real(name, 4, False))
        elif action.kind is ActionKind.CHANGE:
            self.rows[name] = replace(self.rows[name], **action.values)
        elif action.kind is ActionKind.DRAIN:
            self.rows[name] = replace(self.rows[name], state=MachineState.DRAINING, leave_at=self.now)
        else:
            real = self.real.pop(action.provider_id or "", None)
            if real is not None and real.boots_in <= 0 and not real.fails and real.draining_for <= 1:
                self.killed_working.append(f"{name}: {action.reason}")
            if action.kind is ActionKind.END:
                del self.rows[name]
            else:
                self.rows[name] = replace(self.rows[name], state=MachineState.DELETING)


ROUND = st.tuples(
    st.integers(0, 8),
    st.sampled_from(["", "", "", "unreadable", "empty", "partial"]),
    st.integers(0, 20),
    st.sampled_from([0, 1, 2, 100, 100, 100]),
    st.sampled_from([0, 0, 0, 1, 5]),
    st.sampled_from([False, False, True]),
)
SPELL = st.tuples(ROUND, st.integers(1, 7))  # the same, so many rounds in a row


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(0, 6), st.lists(SPELL, max_size=12))
def test_whatever_the_cloud_says_and_whenever_the_manager_dies(most: int, spells: list[tuple]) -> None:  # type: ignore[type-arg]
    world = _World(most)
    for given_round, times in spells:
        for _ in range(times):
            world.round(*given_round)
    assert world.most_made <= most
    for _ in range(40):  # then nobody lies or dies any more: each machine is known, and none has a twin
        world.round(most, "", 1, 100, 0, False)
    assert sorted(real.name for real in world.real.values()) == sorted(world.rows)
    for _ in range(80):  # and at last nothing is wanted
        world.round(0, "", 1, 100, 0, False)
    assert world.real == {}
    assert world.rows == {}
    assert world.killed_working == []


def test_the_world_of_the_property_above_reaches_what_is_wanted() -> None:
    """Else it would prove little."""
    world = _World(5)
    for _ in range(10):
        world.round(5, "", 1, 100, 0, False)
    assert {row.state for row in world.rows.values()} == {MachineState.RUNNING}
    assert len(world.real) == len(world.rows) == 5
    with pytest.raises(KeyError):
        world.rows["g-6"]
