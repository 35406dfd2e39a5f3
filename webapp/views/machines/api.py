"""`/api/machines`: what there is of the fleet's machines, and wishes for the machine manager, which alone has
keys. Described in openapi.json.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from webapp.errors import RequestRefused
from webapp.serving.answers import json_answer
from webapp.serving.identity import ProvenUser, audit, first_fault, identify, read_change_as
from webapp.views import wishing

if TYPE_CHECKING:
    from worker.queue.machines.wishes import MachineWish
    from worker.queue.statistics.machines import FleetMachines, GroupFigures, MachineFigures

blueprint = Blueprint("api_machines", __name__, url_prefix="/api")

_MOST = 1000  # machines of a group, as in its configuration


class GroupChange(BaseModel):
    """What is left out stays as it is; a limit of null is the configuration's again."""

    model_config = ConfigDict(extra="forbid", strict=True)

    paused: bool | None = None
    least: int | None = Field(None, ge=0, le=_MOST)
    most: int | None = Field(None, ge=0, le=_MOST)


@blueprint.get("/machines")
def machines() -> Response:
    from webapp.views.machines.queue import read_machines

    return json_answer(_describe(read_machines()))


@blueprint.get("/machine-preview")
def preview() -> Response:
    """Which machine it would be, its price, and what the quota leaves."""
    from webapp.views.machines.choice import MachineRequest, NothingFits, choose_offer
    from webapp.views.machines.queue import read_machines

    given = {name: value for name, value in request.args.items() if value}
    try:
        asked = MachineRequest.model_validate(given, strict=False)
    except ValidationError as error:
        raise RequestRefused(400, "query_refused", first_fault(error)) from None
    try:
        choice = choose_offer(asked, read_machines().groups)
    except NothingFits as refused:
        raise RequestRefused(422, "nothing_fits", f"no place has that: {refused}") from None
    return json_answer(choice.described(asked.count))


@blueprint.post("/machines")
def create() -> Response:
    who = identify()
    wishing.check_on("machines")
    from webapp.views.machines.choice import MachineRequest, NothingFits, choose_offer
    from worker.queue.machines.wishes import MachineWish

    asked = read_change_as(MachineRequest)
    found = _found()
    if asked.group:
        _group(found, asked.group)
    try:
        choice = choose_offer(asked, found.groups)
    except NothingFits as refused:
        raise RequestRefused(422, "nothing_fits", f"no place has that: {refused}") from None
    details = {"count": asked.count, "place": choice.offer.place}
    return _wish(who, MachineWish("create", choice.group, "", who.name, details))


@blueprint.delete("/machines/<name>")
def delete(name: str) -> Response:
    """Drains the machine, then it is deleted; with `now=true` it is deleted at once."""
    who = identify()
    wishing.check_on("machines")
    from worker.queue.machines.wishes import MachineWish
    from worker.queue.statistics.machines import MachineState

    now = request.args.get("now", "false")
    if now not in ("true", "false"):
        raise RequestRefused(400, "query_refused", f"now={now[:20]!r} is neither true nor false")
    machine = next((one for one in _found().machines if one.row.name == name), None)
    if machine is None or machine.row.state is MachineState.GONE:
        raise RequestRefused(404, "machine_unknown", f"there is no machine {name[:80]!r}")
    details = {"now": True} if now == "true" else {}
    return _wish(who, MachineWish("delete", machine.row.group_name, name, who.name, details))


@blueprint.put("/machines/groups/<name>")
def change_group(name: str) -> Response:
    who = identify()
    wishing.check_on("machines")
    from worker.queue.machines.wishes import MachineWish

    asked = read_change_as(GroupChange)
    group = _group(_found(), name)
    wishes = []
    given = [key for key in ("least", "most") if key in asked.model_fields_set]
    limits: dict[str, Any] = {key: getattr(asked, key) for key in given}
    if limits:
        figures = {**group.row.figures, **{key: value for key, value in limits.items() if value is not None}}
        if figures.get("least", 0) > figures.get("most", _MOST):
            text = f"least {figures['least']:g} is more than most {figures['most']:g}"
            raise RequestRefused(422, "limits_refused", text)
        wishes.append(MachineWish("limits", name, "", who.name, limits))
    if asked.paused is not None:
        wishes.append(MachineWish("pause" if asked.paused else "resume", name, "", who.name))
    if not wishes:
        raise RequestRefused(422, "nothing_asked", "neither paused nor least nor most is given")
    return _wish(who, *wishes)


def _found() -> FleetMachines:
    from webapp.views.machines.queue import read_machines

    return read_machines()


def _group(found: FleetMachines, name: str) -> GroupFigures:
    for group in found.groups:
        if group.row.name == name:
            return group
    raise RequestRefused(404, "group_unknown", f"there is no group {name[:80]!r}")


def _wish(who: ProvenUser, *wishes: MachineWish) -> Response:
    """202: the manager does it in its next round."""
    from webapp.views.machines.queue import send_wishes

    sent = send_wishes(wishes)
    for wish in sent:
        about = " ".join(part for part in (wish.kind, wish.group, wish.machine) if part)
        audit(who, "asked for", f"{about} {json.dumps(dict(wish.details))} (wish {wish.id})")
    return json_answer({"wishes": [_describe_wish(wish) for wish in sent]}, 202)


def _describe(found: FleetMachines) -> dict[str, Any]:
    return {
        "as_of": found.at,
        "is_managed": found.is_managed,
        "manager_silent_s": found.manager_silent_s,
        "groups": [_describe_group(group) for group in found.groups],
        "machines": [_describe_machine(machine) for machine in found.machines],
        "wishes": [_describe_wish(wish) for wish in found.wishes],
    }


def _describe_group(group: GroupFigures) -> dict[str, Any]:
    row = group.row
    return {
        "name": row.name,
        "wanted": row.wanted,
        "states": dict(group.states),
        "failed": group.failed,
        "is_paused": row.paused,
        "stopped": row.stopped,
        "fault": row.fault,
        "reason": row.reason,
        "text": row.text,
        "decided_at": row.decided_at,
        "figures": dict(row.figures),
        "boot_s": group.boot_s,
        "images_per_s": group.images_per_s,
        "cost_per_1000_images": group.cost_per_1000_images,
        "offers": [asdict(offer) for offer in row.places],
    }


def _describe_machine(machine: MachineFigures) -> dict[str, Any]:
    row, host = asdict(machine.row), machine.host
    row["group"] = row.pop("group_name")
    row["state"] = machine.row.state.value
    figures = None
    if host is not None:
        figures = {"cpu_pct": host.cpu_pct, "memory_pct": host.memory_pct, "workers": host.workers}
        figures |= host.figures
    return {**row, "age_s": machine.age_s, "cost": machine.cost, "host": figures}


def _describe_wish(wish: MachineWish) -> dict[str, Any]:
    return {**asdict(wish), "details": dict(wish.details), "is_open": not wish.outcome}
