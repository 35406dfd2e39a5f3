"""The manager over a cloud that refuses, fails or is away: what it does, and what the queue keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from tests.worker.queue.helpers import open_new_queue
from worker.machines.configuration import MachinesConfig, read_machines_config
from worker.machines.manager import MachineManager
from worker.machines.model import (
    CloudListing,
    CloudMachine,
    CloudQuota,
    CloudState,
    Leftover,
    MachineError,
    MachineOrder,
    MachineSize,
    QuotaUse,
)
from worker.machines.providers.base import ProviderRefused, ProviderUnavailable, QuotaRefused
from worker.queue import (
    HostReport,
    Queue,
    QueueRefused,
    QueueTarget,
    QueueUnavailable,
    StatedNeed,
)
from worker.queue.machines.lease import MachineView, read_view
from worker.queue.machines.machines import MachineRow, MachineState, add_machine, change_group, change_machine
from worker.queue.machines.places import read_learned_places
from worker.queue.machines.wishes import MachineWish, add_wish, check_wish
from worker.queue.schema import machine_wishes
from worker.queue.statistics.queue import read_figures

CONFIG = """
fleet = "f"
[preset.small]
cores = 2
memory_gb = 4
[provider.moon]
kind = "local"
[group.g]
most = 3
idle_s = 0
drain_s = 600
images_per_s = 1.2
[[group.g.place]]
provider = "moon"
preset = "small"
price_per_hour = 1.0
"""


@dataclass
class Cloud:
    """In memory; `fault` is raised by the next create, or by list."""

    name: str = "moon"
    machines: dict[str, CloudMachine] = field(default_factory=dict)
    leftovers: tuple[Leftover, ...] = ()
    create_fault: Callable[[], Exception] | None = None
    list_fault: Exception | None = None
    cores: QuotaUse = field(default_factory=lambda: QuotaUse(0, None))
    orders: list[MachineOrder] = field(default_factory=list)

    def sizes(self) -> list[MachineSize]:
        return [MachineSize("c2", 2, 4, price_per_hour=1.0), MachineSize("c8", 8, 32, price_per_hour=4.0)]

    def create(self, order: MachineOrder) -> str:
        self.orders.append(order)
        if self.create_fault is not None:
            raise self.create_fault()
        made = CloudMachine(f"i-{order.name}", order.name, order.group, CloudState.RUNNING)
        self.machines.setdefault(order.name, made)
        return made.provider_id

    def list(self) -> CloudListing:
        if self.list_fault is not None:
            raise self.list_fault
        return CloudListing(tuple(self.machines.values()), self.leftovers)

    def delete(self, provider_id: str) -> None:
        self.machines.pop(provider_id.removeprefix("i-"), None)

    def delete_leftover(self, leftover: Leftover) -> None:
        self.leftovers = tuple(one for one in self.leftovers if one != leftover)

    def limits(self) -> CloudQuota:
        return CloudQuota(cores=self.cores)


class Scene:
    def __init__(self, folder: Path, text: str = CONFIG) -> None:
        path = folder / "machines.toml"
        path.write_text(text)
        self.config: MachinesConfig = read_machines_config(path)
        self.url = f"sqlite:///{folder / 'queue.db'}"
        self.queue: Queue = open_new_queue(folder / "queue.db")
        self.cloud = Cloud()
        self.manager = MachineManager(self.queue, self.config, {"moon": self.cloud}, "me")

    def work(self, images: int) -> None:
        batch = self.queue.add_batch("b", "/data")
        self.queue.add_directories(batch, [("d", [f"{n}.png" for n in range(images)])], 100)

    def view(self) -> MachineView:
        return self.queue.database.read(read_view)

    def states(self) -> list[MachineState]:
        return [row.state for row in self.view().machines]

    def wish(self, wish: MachineWish) -> None:
        self.queue.database.write(lambda connection: add_wish(connection, wish))

    def report(self, name: str, workers: int = 1, leaving: bool = False) -> None:
        figures = {"leaving": float(leaving), "images_done": 50.0, "busy_s": 10.0, "idle_s": 0.0}
        self.queue.report_host(HostReport(name, "local", workers, 0, 50, 20, 0, figures))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.queue.close()


def test_work_makes_machines_of_the_fitting_size_and_its_end_drains_and_deletes_them(scene: Scene) -> None:
    scene.work(300)
    scene.manager.round()
    assert (
        scene.states() == [MachineState.BOOTING] * 2
    )  # 300 images, 0.57 of 600 s, 180 s to boot, spare 1.15
    assert {order.size for order in scene.cloud.orders} == {"c2"}
    names = [row.name for row in scene.view().machines]
    for name in names:
        scene.report(name)
    scene.manager.round()
    assert scene.states() == [MachineState.RUNNING] * 2
    assert [row.images_done for row in scene.view().machines] == [50, 50]
    scene.queue.cancel(QueueTarget("b"))
    for _ in range(8):
        scene.manager.round()
        for row in scene.view().machines:
            if row.leave_at is not None:
                scene.report(row.name, workers=0, leaving=True)
    assert (scene.states(), scene.cloud.machines) == ([], {})
    told = [event.message for event in read_figures(scene.url).events if event.kind == "machine_deleting"]
    assert len(told) == 2
    assert all(message.endswith("it has drained") for message in told)


def test_a_refusal_by_quota_cuts_the_wish_and_is_told_in_the_clouds_words(scene: Scene) -> None:
    scene.work(300)
    scene.cloud.create_fault = lambda: QuotaRefused("Quota exceeded for cores: already used 19 of 20")
    scene.manager.round()
    assert (scene.states(), len(scene.cloud.orders)) == ([], 1)  # not asked again at once
    assert "Quota exceeded for cores" in scene.view().groups["g"].fault
    scene.manager.round()
    assert len(scene.cloud.orders) == 1


def test_a_places_pause_outlives_the_manager_that_met_the_refusal(scene: Scene) -> None:
    scene.work(300)
    scene.cloud.create_fault = lambda: QuotaRefused("Quota exceeded for cores")
    scene.manager.round()

    def next_manager() -> None:
        MachineManager(scene.queue, scene.config, {"moon": scene.cloud}, "me").round()

    next_manager()
    assert len(scene.cloud.orders) == 1
    assert "asked again in" in scene.view().groups["g"].fault
    scene.queue.database.write(
        lambda connection: change_group(connection, "g", memory={"refused": {"moon/small": [1, 0.0, "no"]}})
    )
    scene.cloud.create_fault = None
    next_manager()  # of long ago
    assert len(scene.cloud.machines) == 2
    held = {"refused": {"moon/small": [3, scene.view().now - 1, "no"]}}
    scene.queue.database.write(lambda connection: change_group(connection, "g", memory=held))
    scene.wish(MachineWish("create", "g"))
    next_manager()  # its time is over, and it gives a machine
    assert len(scene.cloud.machines) == 3
    assert scene.view().groups["g"].memory["refused"] == {}


def test_each_place_is_known_by_what_its_machines_taught(tmp_path: Path) -> None:
    places = (
        'placement = "cheapest"\n[[group.g.place]]\nprovider = "moon"\nsize = "c8"\nprice_per_hour = 4.0\n'
    )
    scene = Scene(tmp_path, CONFIG.replace("[[group.g.place]]", places + "[[group.g.place]]"))
    for name, size, images, boot_s in (
        ("f-g-a", "moon/small", 100, 60),
        ("f-g-b", "moon/small", 300, 100),
        ("f-g-c", "moon/c8", 2000, 200),
    ):
        row = MachineRow(name, "g", "moon", size, MachineState.GONE, 0, images_done=images, busy_s=100)
        scene.queue.database.write(lambda connection, row=row: add_machine(connection, row))
        joined_at = scene.view().now + boot_s
        change = {"joined_at": joined_at, "state": MachineState.GONE}
        scene.queue.database.write(
            lambda connection, name=name, change=change: change_machine(connection, name, "", **change)
        )
    learned = scene.queue.database.read(lambda connection: read_learned_places(connection, "g"))
    assert {place: one.images_per_s for place, one in learned.items()} == {"moon/small": 2, "moon/c8": 20}
    assert learned["moon/small"].boot_s == pytest.approx(80, abs=5)
    scene.work(300)
    scene.manager.round()  # 4 an hour at 20 images/s against 1 at 2
    assert {order.size for order in scene.cloud.orders} == {"c8"}
    offers = {offer.place: offer.images_per_s for offer in scene.view().groups["g"].places}
    assert offers == {"moon/small": 2, "moon/c8": 20}
    scene.queue.close()


@pytest.mark.parametrize(
    ("kind", "details", "said"),
    [
        ("limits", {"least": -1}, "least is -1: a whole number from 0 to 1000"),
        ("limits", {"most": "many"}, "most is 'many': a whole number"),
        ("limits", {"most": True}, "most is True: a whole number"),
        ("limits", {"most": 1.5}, "most is 1.5: a whole number"),
        ("limits", {"least": 3, "most": 2}, "least 3 is more than most 2"),
        ("limits", {"count": 1}, "a wish 'limits' has no 'count'"),
        ("create", {"count": "x"}, "count is 'x': a whole number from 1 to 1000"),
        ("create", {"count": None}, "count is None"),
        ("create", {"place": 7}, "place is 7"),
        ("delete", {"now": "yes"}, "now is 'yes': true or false"),
        ("delete", {"details": ["now"]}, "a wish 'delete' has no 'details'"),
        ("fly", {}, "there is no wish 'fly'"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_and_stops_no_manager(
    scene: Scene, kind: Any, details: Any, said: str
) -> None:
    with pytest.raises(QueueRefused, match=said):
        check_wish(MachineWish(kind, "g", details=details))
    given = details.get("details", details)  # a row may have a list in their place
    row = {"kind": kind, "group_name": "g", "machine": "", "details": given, "asked_by": "eve"}
    scene.queue.database.write(  # as one who may insert rows, and does not ask
        lambda connection: connection.execute(insert(machine_wishes).values(asked_at=0, **row))
    )
    scene.manager.round()
    outcome = scene.queue.database.read(
        lambda connection: connection.execute(select(machine_wishes.c.outcome)).scalar_one()
    )
    assert outcome.startswith(f"refused: {said}")
    assert scene.view().wishes == ()


def test_no_more_is_asked_for_than_the_quota_leaves(scene: Scene) -> None:
    scene.work(300)
    scene.cloud.cores = QuotaUse(19, 20)
    scene.manager.round()
    assert scene.cloud.orders == []
    assert "has no room left" in scene.view().groups["g"].fault


def test_a_batch_that_states_its_need_gets_machines_that_carry_it(tmp_path: Path) -> None:
    more = """
[preset.large]
cores = 8
memory_gb = 32
[[group.g.place]]
provider = "moon"
preset = "large"
"""
    scene = Scene(tmp_path, CONFIG + more)
    batch = scene.queue.add_batch("b", "/data", need=StatedNeed(memory_mb=20_000, cpus=4))
    scene.queue.add_directories(batch, [("d", [f"{n}.png" for n in range(300)])], 100)
    scene.manager.round()
    assert [order.size for order in scene.cloud.orders] == ["c8", "c8"]
    row = scene.view().machines[0]
    assert (row.size, row.cloud_size, row.cores, row.memory_gb) == ("moon/large", "c8", 8, 32)
    small, large = scene.view().groups["g"].places
    assert (small.place, small.cloud_size, small.price_per_hour, small.room) == ("moon/small", "c2", 1, None)
    assert (large.room_of_worker, large.price_per_hour) == (StatedNeed(28_800, 8), 4)
    scene.queue.close()


def test_work_that_no_place_carries_is_not_scaled_for_and_is_said(scene: Scene) -> None:
    batch = scene.queue.add_batch("b", "/data", need=StatedNeed(memory_mb=20_000))
    scene.queue.add_directories(batch, [("d", ["1.png", "2.png"])], 100)
    scene.manager.round()
    assert scene.cloud.orders == []
    assert scene.view().groups["g"].text == (
        "no work is left; 2 images are not counted: their workers need 20,000 MB, and no place has that"
    )


def test_a_size_that_is_named_needs_no_list_of_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path, CONFIG.replace('preset = "small"', 'size = "c2"'))

    def forbidden() -> list[MachineSize]:
        raise ProviderRefused("not authorized to list sizes")

    monkeypatch.setattr(scene.cloud, "sizes", forbidden)
    scene.work(300)
    scene.manager.round()
    assert [order.size for order in scene.cloud.orders] == ["c2"] * 2
    assert scene.states() == [MachineState.BOOTING] * 2
    scene.queue.close()


def test_a_machine_that_is_asked_for_in_a_place_is_made_there(scene: Scene) -> None:
    scene.wish(MachineWish("create", "g", asked_by="ann", details={"place": "moon/other"}))
    scene.wish(MachineWish("create", "g", asked_by="ann", details={"place": "moon/small", "count": 1}))
    scene.manager.round()
    assert [row.size for row in scene.view().machines] == ["moon/small"]
    assert any("has no place moon/other" in outcome for outcome in outcomes(scene))


def outcomes(scene: Scene) -> list[str]:
    query = select(machine_wishes.c.outcome)
    return list(scene.queue.database.read(lambda connection: connection.execute(query).scalars().all()))


def test_three_young_deaths_stop_a_group_until_it_is_resumed(tmp_path: Path) -> None:
    scene = Scene(tmp_path, CONFIG.replace("images_per_s = 1.2", "images_per_s = 0.4"))
    scene.work(300)
    scene.manager.round()
    assert len(scene.cloud.machines) == 3
    for name, machine in scene.cloud.machines.items():
        scene.cloud.machines[name] = replace(machine, state=CloudState.FAILED, fault="No valid host")
    for _ in range(8):  # one a round
        scene.manager.round()
    group = scene.view().groups["g"]
    assert group.stopped == "3 machines in a row died young, the last: No valid host"
    assert scene.states() == []
    assert len(scene.cloud.orders) == 3
    scene.wish(MachineWish("resume", "g", asked_by="eve"))
    scene.manager.round()
    assert len(scene.cloud.orders) == 6
    scene.queue.close()


def test_a_cloud_out_of_reach_and_a_queue_out_of_reach_change_nothing(scene: Scene, tmp_path: Path) -> None:
    scene.work(300)
    scene.manager.round()
    scene.cloud.list_fault = ProviderUnavailable("connection refused")
    scene.manager.round()
    assert scene.states() == [MachineState.BOOTING] * 2
    assert len(scene.cloud.machines) == 2
    scene.queue.database.patience_s = 0
    scene.queue.database.engine.dispose()
    (tmp_path / "queue.db").rename(tmp_path / "away.db")
    (tmp_path / "queue.db").mkdir()
    with pytest.raises(QueueUnavailable):
        scene.manager.round()
    assert len(scene.cloud.machines) == 2


def test_a_manager_killed_between_row_and_cloud_leaves_nothing_unknown(scene: Scene) -> None:
    scene.work(300)
    scene.cloud.create_fault = lambda: ProviderUnavailable("timed out")
    scene.manager.round()
    assert scene.states() == [MachineState.WISHED] * 2
    scene.cloud.create_fault = None
    scene.manager.round()
    assert scene.states() == [MachineState.BOOTING] * 2
    assert len(scene.cloud.machines) == 2  # of the same names


def test_machines_asked_for_by_people_stay_until_people_ask_for_their_end(scene: Scene) -> None:
    scene.wish(MachineWish("create", "g", asked_by="eve", details={"count": 1}))
    scene.manager.round()
    scene.manager.round()
    (row,) = scene.view().machines
    assert (row.kept, row.asked_by, row.state) == (True, "eve", MachineState.BOOTING)
    scene.wish(MachineWish("delete", machine=row.name, asked_by="eve", details={"now": True}))
    scene.wish(MachineWish("delete", machine="nobody", asked_by="eve"))
    for _ in range(3):
        scene.manager.round()
    assert (scene.states(), scene.cloud.machines, scene.view().wishes) == ([], {}, ())


def test_a_spending_cap_stops_growth_and_a_pause_stops_both(tmp_path: Path) -> None:
    scene = Scene(tmp_path, CONFIG.replace("most = 3", "most = 3\ncost_most_month = 0"))
    scene.work(300)
    (plan,) = scene.manager.dry_run()
    assert plan.reconciled.create == 2
    assert "are spent this month" in plan.refusal
    scene.manager.round()
    assert scene.cloud.orders == []
    scene.wish(MachineWish("pause", "g"))
    scene.manager.round()
    assert scene.view().groups["g"].text.startswith("paused; ")
    scene.queue.close()


def test_a_spending_cap_holds_within_a_round_and_for_what_people_ask_for(tmp_path: Path) -> None:
    scene = Scene(tmp_path, CONFIG.replace("most = 3", "most = 3\ncost_most_month = 0.5"))
    scene.work(300)
    (plan,) = scene.manager.dry_run()
    assert (plan.reconciled.create, plan.refusal) == (2, "")
    scene.manager.round()
    assert len(scene.cloud.orders) == 1  # an hour of it is more than there is
    assert "the group does not grow" in scene.view().groups["g"].fault
    scene.wish(MachineWish("create", "g", asked_by="eve"))
    scene.manager.round()
    (outcome,) = outcomes(scene)
    assert outcome.startswith("refused: ")
    assert outcome.endswith("the group does not grow")
    assert len(scene.cloud.orders) == 1
    scene.queue.close()


def test_of_many_that_people_ask_for_as_many_are_made_as_the_cap_leaves(tmp_path: Path) -> None:
    scene = Scene(tmp_path, CONFIG.replace("most = 3", "most = 9\ncost_most_month = 1.5"))
    scene.wish(MachineWish("create", "g", asked_by="eve", details={"count": 5}))
    scene.manager.round()
    assert len(scene.cloud.orders) == 2  # an hour of them is 2.0
    (outcome,) = outcomes(scene)
    assert outcome.startswith("2 asked for: ")
    scene.queue.close()


def test_people_get_no_more_than_the_operators_and_the_places_limits(tmp_path: Path) -> None:
    scene = Scene(tmp_path, CONFIG + "most = 2\n")
    scene.wish(MachineWish("create", "g", asked_by="eve", details={"count": 9}))
    scene.manager.round()
    assert (len(scene.cloud.orders), outcomes(scene)[-1]) == (2, "2 asked for: moon/small has no room left")
    scene.wish(MachineWish("delete", machine=scene.view().machines[0].name, details={"now": True}))
    for _ in range(3):
        scene.manager.round()
    scene.wish(MachineWish("limits", "g", details={"most": 1}))
    scene.wish(MachineWish("create", "g", asked_by="eve", details={"count": 9}))
    scene.manager.round()
    assert len(scene.states()) == 1
    assert outcomes(scene)[-1] == "refused: the group may have 1, and has 1"
    scene.queue.close()


def test_a_stopped_group_gives_people_no_machine_either(scene: Scene) -> None:
    scene.queue.database.write(lambda connection: change_group(connection, "g", stopped="no such image"))
    scene.wish(MachineWish("create", "g", asked_by="eve"))
    scene.manager.round()
    assert outcomes(scene) == ["refused: the group is stopped until it is resumed: no such image"]
    assert scene.cloud.orders == []


def test_an_adopted_machine_costs_what_its_own_place_costs(tmp_path: Path) -> None:
    place = '[[group.g.place]]\nprovider = "moon"\npreset = "{}"\nprice_per_hour = {}\nspot = {}\n'
    large = "[preset.large]\ncores = 8\nmemory_gb = 32\n"
    more = place.format("large", 4.0, "false") + place.format("large", 1.5, "true")
    scene = Scene(tmp_path, CONFIG + more + large)
    for name, spot in (("f-g-a", False), ("f-g-b", True)):
        found = CloudMachine(f"i-{name}", name, "g", CloudState.RUNNING, spot=spot, size="c8")
        scene.cloud.machines[name] = found
    scene.manager.round()
    assert {row.name: (row.size, row.price_per_hour) for row in scene.view().machines} == {
        "f-g-a": ("moon/large", 4.0),
        "f-g-b": ("moon/large/spot", 1.5),
    }
    scene.queue.close()


def test_what_outlived_its_machine_is_ended_and_what_is_not_known_is_left(scene: Scene) -> None:
    ours, unclear = Leftover("port", "p-1", "port", "f-g-old"), Leftover("disk", "d-1", "disk")
    scene.cloud.leftovers = (ours, unclear)
    scene.manager.round()
    assert scene.cloud.leftovers == (unclear,)
    scene.manager.round()
    assert scene.view().groups["g"].figures["costing"] == 1  # an alert's business


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("kind = ", "kin = "), "provider.moon.kind: Field required"),
        (("most = 3", "moost = 3"), "group.g.moost: Extra inputs are not permitted"),
        (('preset = "small"', 'preset = "big"'), r"there is no \[preset.big\]"),
        (('provider = "moon"', 'provider = "sun"'), r"there is no \[provider.sun\]"),
        (
            (
                "price_per_hour = 1.0",
                "[group.h]\ncost_most_month = 9\nplace = [{provider = 'moon', size = 's'}]",
            ),
            "group h: with cost_most_month its place moon/s needs a price_per_hour",
        ),
        (("cores = 2", "cores = 64"), "preset.small.cores: Input should be less than or equal to 32"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_by_name(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    path = tmp_path / "machines.toml"
    path.write_text(CONFIG.replace(*change))
    with pytest.raises(MachineError, match=said):
        read_machines_config(path)
