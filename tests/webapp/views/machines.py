"""A queue with machines for the page's tests: group `workers` with two places, machines in several states."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, update

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

HOSTILE = "<img src=x onerror=alert(1)>"
OFFERS = (
    Offer("north/small", "small", "c2", 2, 4, 40, 1000, 0, 0.1, room=5),
    Offer(
        "north/large",
        "large",
        "c16",
        16,
        64,
        200,
        0,
        0,
        0.84,
        room=2,
        quota_pct=62.5,
        images_per_s=2,
        boot_s=95,
    ),
    Offer("mars/gpu", "gpu", "g1", 8, 32, 100, 0, 1, 2.5, fault="No valid host was found"),
)
FIGURES = {
    "images": 1200,
    "cost_per_hour": 1.68,
    "cost_month": 81.5,
    "cost_projected": 240.25,
    "cost_most": 100,
    "least": 0,
    "most": 4,
}
STATES = {
    "m-run": MachineState.RUNNING,
    "m-boot": MachineState.BOOTING,
    "m-drain": MachineState.DRAINING,
    "m-gone": MachineState.RUNNING,
}
HOST = {"cpus": 16, "images_done": 4000, "busy_s": 2000, "memory_limit_bytes": 64e9}


def open_sample(url: str) -> Queue:
    queue = queue_at(url)
    queue.database.write(fill)
    queue.report_host(HostReport("m-run", "openstack", 4, 0, 71.4, 38.0, 0, HOST))
    MachineBook(queue.database).take_lease("me", 60)
    return queue


def fill(connection: Connection) -> None:
    for name, state in STATES.items():
        kept: dict[str, Any] = {"asked_by": "ann", "kept": True} if name == "m-boot" else {}
        add_machine(
            connection,
            MachineRow(
                name, "workers", "north", "north/large", state, 0, reason="1,200 images",
                price_per_hour=0.84, cloud_size="c16", cores=16, memory_gb=64, storage_gb=200, **kept,
            ),
        )  # fmt: skip
    old = update(machines).where(machines.c.name == "m-run")
    connection.execute(
        old.values(
            created_at=machines.c.created_at - 7200,
            joined_at=machines.c.created_at - 7100,
            images_done=4000,
            busy_s=2000,
        )
    )
    change_machine(connection, "m-gone", "the cloud lost it", state=MachineState.GONE, fault=HOSTILE)
    change_group(
        connection,
        "workers",
        wanted=3,
        reason="deadline",
        text="1,200 images; those due in 2 h need 3 machines at 2 images/s each",
        figures=FIGURES,
        fault=f"mars/gpu: {HOSTILE}",
        offers=[asdict(offer) for offer in OFFERS],
    )
