"""Machines, groups, wishes and the manager's lease, on both databases."""

from __future__ import annotations

import pytest

from worker.queue import HostReport, Queue, QueueRefused, QueueTarget
from worker.queue.machines.lease import MachineBook, NotManager, read_leave
from worker.queue.machines.machines import (
    MachineRow,
    MachineState,
    QueuedWork,
    add_machine,
    change_group,
    change_machine,
    read_cost,
    read_learned,
)
from worker.queue.machines.wishes import MachineWish, add_wish, end_wish, open_wishes
from worker.queue.statistics.queue import read_figures


@pytest.fixture
def book(queue: Queue) -> MachineBook:
    made = MachineBook(queue.database)
    assert made.take_lease("first", 30)
    return made


def machine(name: str = "m-1", **values: object) -> MachineRow:
    return MachineRow(name, "big", "here", "c4", MachineState.WISHED, 0, reason="work", **values)  # type: ignore[arg-type]


def test_one_manager_at_a_time_and_the_one_that_slept_writes_nothing(queue: Queue) -> None:
    first, second = MachineBook(queue.database), MachineBook(queue.database)
    assert first.take_lease("first", 0.05)
    assert first.take_lease("first", 0.05)  # renewed
    while not second.take_lease("second", 30):
        pass
    with pytest.raises(NotManager):
        first.write(lambda connection: add_machine(connection, machine()))
    assert not first.take_lease("first", 30)
    second.write(lambda connection: add_machine(connection, machine("m-2")))
    assert [row.name for row in second.view().machines] == ["m-2"]
    assert second.view().holder == "second"
    second.give_back_lease()
    assert first.take_lease("first", 30)


def test_a_machine_from_its_row_to_its_end_is_told_in_events(
    queue: Queue, queue_url: str, book: MachineBook
) -> None:
    book.write(lambda connection: add_machine(connection, machine(price_per_hour=3600)))
    book.write(
        lambda connection: change_machine(
            connection, "m-1", "the cloud has it", state=MachineState.BOOTING, provider_id="i-7"
        )
    )
    row = book.view().machines[0]
    assert (row.state, row.provider_id, row.reason) == (MachineState.BOOTING, "i-7", "the cloud has it")
    assert queue.database.read(lambda connection: read_leave(connection, "m-1"))[0] is False
    book.write(
        lambda connection: change_machine(
            connection, "m-1", "too many", state=MachineState.DRAINING, leave_at=1
        )
    )
    assert queue.database.read(lambda connection: read_leave(connection, "m-1"))[0] is True
    book.write(lambda connection: change_machine(connection, "m-1", "ended", state=MachineState.GONE))
    assert book.view().machines == ()
    cost = queue.database.read(lambda connection: read_cost(connection, "big", 0))
    assert 0 <= cost < 60  # a unit of money a second
    told = [(event.kind, event.message) for event in reversed(read_figures(queue_url).events)]
    assert told == [
        ("machine_wished", "m-1: work"),
        ("machine_booting", "m-1: the cloud has it"),
        ("machine_draining", "m-1: too many"),
        ("machine_gone", "m-1: ended"),
    ]


def test_a_host_without_a_machine_is_not_told_to_leave(queue: Queue) -> None:
    assert queue.database.read(lambda connection: read_leave(connection, "m-1")) == (False, None)


def test_wishes_are_kept_until_they_are_fulfilled_and_name_who_asked(queue: Queue, queue_url: str) -> None:
    wish = MachineWish("create", "big", asked_by="eve", details={"count": 2})
    number = queue.database.write(lambda connection: add_wish(connection, wish))
    (found,) = queue.database.read(open_wishes)
    assert (found.kind, found.group, found.asked_by, found.details, found.id) == (
        "create", "big", "eve", {"count": 2}, number,
    )  # fmt: skip
    queue.database.write(lambda connection: end_wish(connection, number, "made"))
    assert queue.database.read(open_wishes) == []
    assert read_figures(queue_url).events[0].message == "eve asks: create big (count 2)"
    with pytest.raises(QueueRefused, match="there is no wish 'explode'"):
        queue.database.write(lambda connection: add_wish(connection, MachineWish("explode")))  # type: ignore[arg-type]


def test_work_is_what_has_no_result_by_when_it_is_due(queue: Queue, book: MachineBook) -> None:
    for name, deadline, directories in (("soon", 4e9, 2), ("whenever", None, 1), ("paused", 5e9, 1)):
        batch = queue.add_batch(name, f"/{name}", deadline=deadline)
        listing = [(f"d{number}", ["a.png", "b.png", "c.png"]) for number in range(directories)]
        queue.add_directories(batch, listing, 100)
    queue.pause(QueueTarget("paused"))
    assert book.view().work == (QueuedWork(4e9, 6), QueuedWork(None, 3))


def test_boot_time_and_rate_are_learned_from_the_machines_of_the_group(
    queue: Queue, book: MachineBook
) -> None:
    assert queue.database.read(lambda connection: read_learned(connection, "big")) == (None, None)
    for number, (boot_s, done) in enumerate([(100, 300), (200, 500)]):
        name = f"m-{number}"
        book.write(lambda connection, name=name: add_machine(connection, machine(name)))
        born = next(row.created_at for row in book.view().machines if row.name == name)
        values = {"joined_at": born + boot_s, "images_done": done, "busy_s": 200.0}
        book.write(lambda c, name=name, values=values: change_machine(c, name, "", **values))
    boot_s, rate = queue.database.read(lambda connection: read_learned(connection, "big"))
    assert boot_s == pytest.approx(150)
    assert rate == pytest.approx(2)


def test_a_host_says_whether_it_leaves_and_what_it_did(queue: Queue, book: MachineBook) -> None:
    book.write(lambda connection: add_machine(connection, machine()))
    figures = {"leaving": 1, "images_done": 12, "busy_s": 3.5, "idle_s": 0}
    queue.report_host(HostReport("m-1", "local", 0, 0, 5, 6, 0, figures))
    queue.report_host(HostReport("other", "local", 3, 0, 5, 6, 0))
    hosts = book.view().hosts
    assert set(hosts) == {"m-1"}
    word = hosts["m-1"]
    assert (word.leaving, word.workers, word.images_done, word.busy_s) == (True, 0, 12, 3.5)


def test_what_a_group_remembers_is_read_back(book: MachineBook) -> None:
    memory = {"enough": [[1.5, 2]]}
    book.write(lambda connection: change_group(connection, "big", wanted=3, text="why", memory=memory))
    book.write(lambda connection: change_group(connection, "big", paused=True))
    group = book.view().groups["big"]
    assert (group.wanted, group.text, group.paused, group.memory) == (3, "why", True, memory)
