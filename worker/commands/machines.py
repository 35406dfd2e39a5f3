"""`machines`: what there is of the fleet's machines, what operators ask for, and the manager itself."""

from __future__ import annotations

import getpass
import json
import os
import signal
import socket
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial

import click

from cloud_monitor.system.text import age_text, without_controls
from worker.gate.limits import queue_policy
from worker.machines.configuration import MachinesConfig, read_machines_config
from worker.machines.manager import GroupPlan, MachineManager
from worker.machines.model import MachineError
from worker.machines.offers import preview
from worker.machines.providers.base import Provider, open_provider
from worker.machines.replay import Arrival
from worker.machines.replay import replay as replay_rule
from worker.queue import Queue, open_queue
from worker.queue.database.sql import read_now
from worker.queue.machines.lease import MachineView, read_view
from worker.queue.machines.machines import Offer, read_arrivals, read_learned, read_machine
from worker.queue.machines.wishes import MachineWish, WishKind, add_wish
from worker.settings import Settings


@click.group()
def command() -> None:
    """Machines of the fleet: made, drained and deleted as the queue's work and deadlines need them."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def list_machines(settings: Settings, as_json: bool) -> None:
    """Each machine with its state, and why."""
    view = _view(settings)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in view.machines], indent=2))
        return
    for row in view.machines:
        age = age_text(view.now - row.created_at)
        _say(
            f"{row.name}  {row.state}  {row.size}  {age}  {row.images_done} images  {row.fault or row.reason}"
        )
    click.echo(f"{len(view.machines)} machines")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def groups(settings: Settings, as_json: bool) -> None:
    """Each group: how many machines are wanted, and the decision in words."""
    view = _view(settings)
    if as_json:
        click.echo(json.dumps([asdict(group) for group in view.groups.values()], indent=2))
        return
    for name, group in sorted(view.groups.items()):
        there = sum(row.group_name == name for row in view.machines)
        state = "paused" if group.paused else "stopped" if group.stopped else "scaled"
        _say(f"{name}  {state}  {there} there, {group.wanted} wanted: {group.stopped or group.text}")
        for offer in group.places:
            _say(f"  {place_text(offer)}")
        if group.fault:
            _say(f"  last fault: {group.fault}")
    silent_s = view.now - view.lease_until
    if silent_s > 0:
        click.echo("no machine manager is running: nothing is made, drained or deleted")


@command.command()
@click.argument("preset")
@click.option("--group", help="Group that it is to be in; unset: the one that has the preset.")
@click.option("--count", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option(
    "--dry-run", is_flag=True, help="Only say which size it would be, its price and the quota left."
)
@click.pass_obj
def create(settings: Settings, preset: str, group: str | None, count: int, dry_run: bool) -> None:
    """Ask the manager for machines of a PRESET; the rule does not end them, their end is asked for too."""
    config = read_machines_config(settings.machines_config)
    name = _group_of(config, preset, group)
    if dry_run:
        for line in preview(config, _providers(config), name, preset):
            _say(line)
        return
    _wish(settings, MachineWish("create", name, details={"count": count}))


@command.command()
@click.argument("name")
@click.option("--now", is_flag=True, help="Without draining it first: its images in flight are done again.")
@click.pass_obj
def delete(settings: Settings, name: str, now: bool) -> None:
    """Ask the manager to drain the machine NAME and delete it."""
    with closing(_queue(settings)) as queue:
        if queue.database.read(lambda connection: read_machine(connection, name)) is None:
            raise MachineError(f"there is no machine {name}; `machines list` names them")
    _wish(settings, MachineWish("delete", machine=name, details={"now": True} if now else {}))


def _group_command(kind: WishKind, text: str) -> None:
    @command.command(kind, help=text)
    @click.argument("group")
    @click.pass_obj
    def of_group(settings: Settings, group: str) -> None:
        config = read_machines_config(settings.machines_config)
        if group not in config.group:
            raise MachineError(f"there is no group {group}; there are {', '.join(config.group)}")
        _wish(settings, MachineWish(kind, group))


_group_command("pause", "Let the GROUP be as it is: none of its machines is made or ended by the rule.")
_group_command("resume", "Scale the GROUP again, also one that stopped after its machines died young.")


@command.command()
@click.option("--once", is_flag=True, help="One round, then end.")
@click.option("--dry-run", is_flag=True, help="Only say what a round would do now.")
@click.pass_obj
def autoscale(settings: Settings, once: bool, dry_run: bool) -> None:
    """The manager: makes, drains and deletes machines until SIGTERM; it alone needs a cloud's keys."""
    config = read_machines_config(settings.machines_config)
    with closing(_queue(settings)) as queue:
        holder = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"
        environment = {"WORKER_DATABASE_URL": settings.queue_url}
        manager = MachineManager(queue, config, _providers(config), holder, environment)
        if dry_run:
            _show(manager.dry_run())
        elif once:
            plans = manager.round()
            if plans is None:
                raise MachineError("another manager is at work; it holds the lease until it is silent")
            _show(plans)
        else:
            ended = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: ended.set())
            manager.run(ended.wait)


@command.command()
@click.option("--days", type=click.FloatRange(min=0.01), default=7.0, show_default=True)
@click.pass_obj
def replay(settings: Settings, days: float) -> None:
    """What each group would have cost over the batches of the last DAYS, by both rules."""
    config = read_machines_config(settings.machines_config)
    with closing(_queue(settings)) as queue:
        read = queue.database.read
        since = read(read_now) - days * 86_400
        arrivals = [Arrival(*row) for row in read(lambda connection: read_arrivals(connection, since))]
        for name, group in config.group.items():
            boot_s, rate = read(partial(read_learned, group=name))
            for rule in ("deadline", "thresholds"):
                scaling = group.model_copy(update={"rule": rule}).scaling_rule
                price = group.place[0].price_per_hour
                done = replay_rule(
                    arrivals, scaling, rate or group.images_per_s, boot_s or group.boot_s, price
                )
                used = " (used)" if rule == group.rule else ""
                _say(
                    f"{name} by {rule}{used}: {done.images} images, {done.late_images} late,"
                    f" {done.machine_hours:.1f} machine hours, {done.cost:.2f}, at most {done.most} machines,"
                    f" {done.made} made, {done.reversals} reversals"
                )


def place_text(offer: Offer) -> str:
    """A place as its last machines taught."""
    parts = [offer.place]
    if offer.images_per_s:
        parts.append(f"{offer.images_per_s:.2g} images/s")
    if offer.boot_s:
        parts.append(f"boots in {offer.boot_s:.0f} s")
    if offer.cost_per_1000_images is not None:
        parts.append(f"{offer.cost_per_1000_images:.2g} for 1,000 images")
    if offer.room is not None:
        parts.append(f"room for {offer.room} more")
    return ", ".join([*parts, *([offer.fault] if offer.fault else [])])


def _show(plans: Sequence[GroupPlan]) -> None:
    for plan in plans:
        _say(f"{plan.name}: {plan.decision.wanted} wanted: {plan.decision.text}")
        if plan.reconciled.create:
            _say(f"  {plan.reconciled.create} to be made{f', but {plan.refusal}' if plan.refusal else ''}")
        for action in plan.reconciled.actions:
            _say(f"  {action.kind} {action.machine}: {action.reason}")


def _group_of(config: MachinesConfig, preset: str, group: str | None) -> str:
    if group is not None and group not in config.group:
        raise MachineError(f"there is no group {group}; there are {', '.join(config.group)}")
    having = [
        name
        for name, one in config.group.items()
        if (group is None or name == group) and any(place.preset == preset for place in one.place)
    ]
    if len(having) != 1:
        found = f"groups {', '.join(having)} have" if having else "no group has"
        raise MachineError(f"{found} preset {preset}; name one that has with --group")
    return having[0]


def _wish(settings: Settings, wish: MachineWish) -> None:
    asked = MachineWish(wish.kind, wish.group, wish.machine, getpass.getuser(), wish.details)
    with closing(_queue(settings)) as queue:
        number = queue.database.write(lambda connection: add_wish(connection, asked))
    click.echo(f"asked for, as wish {number}; the machine manager does it in its next round")


def _view(settings: Settings) -> MachineView:
    with closing(_queue(settings)) as queue:
        return queue.database.read(read_view)


def _queue(settings: Settings) -> Queue:
    return open_queue(settings.queue_url, queue_policy(settings))


def _providers(config: MachinesConfig) -> dict[str, Provider]:
    return {
        name: open_provider(one.kind, name, one.options, config.fleet)
        for name, one in config.provider.items()
    }


def _say(text: str) -> None:
    click.echo(without_controls(text))
