"""Machines and groups as figures, from a real queue."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
from sqlalchemy import update

from cloud_monitor.metrics.paths import parse_path
from collector.sources.fleet import collect
from collector.sources.fleet_figures import machine_values
from tests.collector.support import make_settings
from tests.worker.queue.helpers import queue_at
from worker.queue import HostReport, Queue
from worker.queue.machines.lease import MachineBook
from worker.queue.machines.machines import (
    MachineRow,
    MachineState,
    Offer,
    add_machine,
    change_group,
    change_machine,
)
from worker.queue.schema import machines
from worker.queue.statistics.machines import SILENT_MANAGER_S, read_fleet_machines

FIGURES = {
    "cost_per_hour": 2.5,
    "cost_month": 81.0,
    "cost_projected": 300.0,
    "cost_most": 100.0,
    "costing": 1,
}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'queue.db'}"


@pytest.fixture
def queue(url: str) -> Queue:
    """Group `workers`: one machine works for an hour, one boots, one has died."""
    queue = queue_at(url)
    rows = [
        MachineRow(name, "workers", "moon", "moon/large", state, 0, reason="asked", price_per_hour=2.0)
        for name, state in (
            ("m-old", MachineState.RUNNING),
            ("m-new", MachineState.BOOTING),
            ("m-dead", MachineState.BOOTING),
        )
    ]

    def fill(connection):  # type: ignore[no-untyped-def]
        for row in rows:
            add_machine(connection, row)
        old = update(machines).where(machines.c.name == "m-old")
        connection.execute(
            old.values(
                created_at=machines.c.created_at - 3600,
                joined_at=machines.c.created_at - 3480,
                images_done=4000,
                busy_s=2000,
            )
        )
        change_machine(connection, "m-dead", "gone", state=MachineState.GONE, fault="No valid host")
        offers = [Offer("moon/large", room=3, quota_pct=40), Offer("mars/large", room=2, quota_pct=85)]
        change_group(
            connection,
            "workers",
            wanted=2,
            reason="deadline",
            figures=FIGURES,
            stopped="three died",
            offers=[asdict(offer) for offer in offers],
        )

    queue.database.write(fill)
    queue.report_host(HostReport("m-old", "local", 2, 0, 55, 20, 0))
    MachineBook(queue.database).take_lease("me", 60)
    return queue


def test_each_group_and_each_machine_in_figures(queue: Queue, url: str) -> None:
    found = dict(collect(make_settings(fleet_database_url=url), 0).values)
    queue.close()
    assert all(parse_path(path).metric.producer == "fleet" for path in found)
    own = {path.removeprefix("grids.g.fleet."): value for path, value in found.items()}
    group = {
        name.removeprefix("machines.workers."): value
        for name, value in own.items()
        if name.startswith("machines.workers.") and ".each." not in name
    }
    price = group.pop("cost_per_1000_images")
    assert price == pytest.approx(2.0 * 3600 / 3600 / 4000 * 1000, rel=0.01)
    assert group == {
        "states.wished": 0,
        "states.booting": 1,
        "states.running": 1,
        "states.draining": 0,
        "states.deleting": 0,
        "states.total": 2,
        "decision.deadline": 1,
        "wanted": 2,
        "failed": 0,
        "room": 5,
        "quota_pct": 85,
        "boot_s": pytest.approx(120),
        "images_per_s": 2,
        "stopped": 1,
        "paused": 0,
        **FIGURES,
    }
    assert {name: own[f"scaling.workers.{name}"] for name in ("up", "down", "failed")} == {
        "up": 2, "down": 1, "failed": 1
    }  # fmt: skip
    assert own["machines.workers.each.m-old.cost"] == pytest.approx(2, rel=0.01)
    assert own["machines.workers.each.m-old.images_done"] == 4000
    assert own["machines.workers.each.m-new.age_s"] < 60
    assert not any("m-dead" in name for name in own)
    assert own["manager.silent_s"] < 60


def test_machines_and_groups_beyond_the_cap_are_left_out_and_counted(queue: Queue, url: str) -> None:
    queue.database.write(lambda connection: change_group(connection, "empty", wanted=0))
    queue.close()
    own = dict(machine_values("g", read_fleet_machines(url), names_max=1))
    assert own["grids.g.fleet.overflow.groups"] == 1
    assert own["grids.g.fleet.overflow.machines"] == 1
    assert {path.split(".")[4] for path in own if ".fleet.machines." in path} == {"workers"}
    assert {path.split(".")[6] for path in own if ".each." in path} == {"m-old"}, "the oldest first"


def test_a_fleet_without_machines_or_of_an_older_schema_says_nothing_of_them(url: str) -> None:
    queue = queue_at(url)
    assert list(machine_values("g", read_fleet_machines(url), 9)) == []
    queue.database.write(
        lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")
    )
    queue.close()
    assert read_fleet_machines(url) is None
    assert list(machine_values("g", None, 9)) == []


def test_a_manager_is_silent_when_its_lease_is_old(queue: Queue, url: str) -> None:
    found = read_fleet_machines(url)
    queue.close()
    assert found is not None
    assert found.is_managed
    assert not replace(found, manager_silent_s=SILENT_MANAGER_S).is_managed
    assert not replace(found, manager_silent_s=None).is_managed
    host = {one.row.name: one.host for one in found.machines}["m-old"]
    assert host is not None
    assert host.cpu_pct == 55
    assert [event.kind for event in found.events[:1]] == ["machine_gone"]
