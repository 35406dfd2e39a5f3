"""`/api/alerts` and `/api/silences`: what is wrong, who takes care of it; `/api/alerts/azure`: where action
groups of Azure leave their alerts. Described in openapi.json.

Azure's webhooks carry no header of ours, so the secret is in the address; it is good for this path alone. No
message and no log line of ours quotes it, and apache/cloud_monitor.conf keeps it out of Apache's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field

from cloud_monitor.system.text import duration_text
from webapp.alerts.azure import parse_azure, take_in
from webapp.alerts.causes import Cause, find_causes, silences_of
from webapp.alerts.changes import (
    ACK_MAX_S,
    NOTE_MAX,
    PLACE_MAX,
    SILENCE_MAX_S,
    SILENCE_S,
    ChangeRefused,
    NotThere,
    acknowledge_alert,
    end_silence,
    publish_count,
    silence_place,
    take_back,
)
from webapp.alerts.engine import ACK_S
from webapp.alerts.model import Alert, Silence
from webapp.alerts.observe import plot_targets
from webapp.alerts.rules.rules import AlertSettings
from webapp.alerts.rules.windows import open_windows
from webapp.alerts.store import AlertStore, HistoryEntry, open_store, read_alerts, read_history
from webapp.errors import RequestRefused
from webapp.poll.current import reload_view
from webapp.serving.answers import json_answer
from webapp.serving.context import current_alert_settings, current_settings, current_time
from webapp.serving.identity import (
    TOKEN_LENGTH_MIN,
    audit,
    fits_any,
    identify,
    read_change,
    read_change_as,
    read_tokens,
)

blueprint = Blueprint("api_alerts", __name__, url_prefix="/api")

HISTORY_MAX = 200


class _ChangeBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Acknowledgement(_ChangeBody):
    for_s: float = Field(ACK_S, ge=1, le=ACK_MAX_S)
    note: str = Field("", max_length=NOTE_MAX)


class NewSilence(_ChangeBody):
    place: str = Field(min_length=1, max_length=PLACE_MAX)
    rule: str = Field("*", max_length=80)
    for_s: float = Field(SILENCE_S, ge=1, le=SILENCE_MAX_S)
    until_over: bool = False
    comment: str = Field("", max_length=NOTE_MAX)


@blueprint.get("/alerts")
def alerts() -> Response:
    state, settings, now = read_alerts(current_settings().state_dir), current_alert_settings(), current_time()
    windows = open_windows(settings.windows, settings.zone, now)
    causes = find_causes(state.known.alerts, settings.rules, silences_of(state, settings, now), now)
    return json_answer(
        {
            "evaluated_at": state.evaluated_at or None,
            "alerts": [_describe_cause(cause, settings) for cause in causes],
            "silences": [_describe_silence(one) for one in state.silences],
            "windows": [_describe_silence(one) for one in windows],
            "channels": [asdict(one) for one in state.channels],
            "waiting_messages": state.waiting,
        }
    )


@blueprint.get("/alerts/<alert_id>")
def alert(alert_id: str) -> Response:
    """Also of one that is over, as long as its history is kept."""
    state_dir, settings, now = current_settings().state_dir, current_alert_settings(), current_time()
    state = read_alerts(state_dir)
    causes = find_causes(state.known.alerts, settings.rules, silences_of(state, settings, now), now)
    found = next((one for one in state.known.alerts.values() if one.id == alert_id), None)
    history = read_history(state_dir, HISTORY_MAX, alert_id) if alert_id else ()
    if found is None and not history:
        raise RequestRefused(404, "alert_unknown", f"there is and was no alert {alert_id[:40]!r}")
    cause = next((one for one in causes if one.alert is found), None)
    described = None if found is None else _describe_alert(found, settings)
    if cause is not None:
        described = _describe_cause(cause, settings)
    return json_answer({"alert": described, "history": [asdict(entry) for entry in history]})


@blueprint.post("/alerts/<alert_id>/acknowledge")
def acknowledge(alert_id: str) -> Response:
    who = identify()
    asked = read_change_as(Acknowledgement)
    with _changing() as store:
        found = acknowledge_alert(
            store, alert_id, who.name, current_time(), for_s=asked.for_s, note=asked.note
        )
    audit(who, "acknowledged", f"{found.id} ({found.key.rule} {found.key.place})")
    return json_answer({"id": found.id, "until": found.acked_until})


@blueprint.delete("/alerts/<alert_id>/acknowledge")
def take_back_acknowledgement(alert_id: str) -> Response:
    who = identify()
    with _changing() as store:
        found = take_back(store, alert_id, who.name, current_time())
    audit(who, "took back the acknowledgement", f"{found.id} of {found.acked_by} ({found.key.rule})")
    return Response(status=204, headers={"Cache-Control": "no-store"})


@blueprint.get("/silences")
def silences() -> Response:
    state = read_alerts(current_settings().state_dir)
    return json_answer({"silences": [_describe_silence(one) for one in state.silences]})


@blueprint.post("/silences")
def add_silence() -> Response:
    who, now = identify(), current_time()
    asked = read_change_as(NewSilence)
    ends_at = now + (SILENCE_MAX_S if asked.until_over else asked.for_s)
    silence = Silence(asked.rule, asked.place, now, ends_at, who.name, asked.comment, asked.until_over)
    with _changing() as store:
        number, covered = silence_place(store, silence, current_alert_settings())
    lasts = "until it is over" if asked.until_over else f"for {duration_text(asked.for_s)}"
    audit(who, "silenced", f"{asked.place} {asked.rule} {lasts} (number {number})")
    return json_answer({"number": number, "covers": covered, "ends_at": ends_at}, 201)


@blueprint.delete("/silences/<int:number>")
def remove_silence(number: int) -> Response:
    who = identify()
    if number >= 1 << 63:
        raise RequestRefused(404, "not_there", "there is no such silence")
    with _changing() as store:
        silence = end_silence(store, number, who.name, current_time())
    audit(who, "ended silence", f"{number} ({silence.place} {silence.rule})")
    return Response(status=204, headers={"Cache-Control": "no-store"})


@contextmanager
def _changing() -> Iterator[AlertStore]:
    """A transaction of the store. Raises RequestRefused: 404, 400, 503 where it cannot be written."""
    settings = current_settings()
    try:
        with open_store(settings.state_dir) as store:
            yield store
            publish_count(store, current_alert_settings(), settings.state_dir, current_time())
    except NotThere as absent:
        raise RequestRefused(404, "not_there", str(absent)) from None
    except ChangeRefused as refused:
        raise RequestRefused(400, "change_refused", str(refused)) from None
    except (OSError, sqlite3.Error) as error:
        raise RequestRefused(503, "cannot_keep", f"it cannot be kept: {error}", retry_after_s=60) from None
    reload_view()


def _describe_cause(cause: Cause, settings: AlertSettings) -> dict[str, Any]:
    symptoms = [_describe_alert(one, settings) for one in cause.symptoms]
    return {**_describe_alert(cause.alert, settings), "care": cause.state, "symptoms": symptoms}


def _describe_alert(found: Alert, settings: AlertSettings) -> dict[str, Any]:
    rule = settings.rules.get(found.key.rule)
    return {
        "id": found.id,
        "rule": found.key.rule,
        "place": found.key.place,
        "severity": "info" if rule is None else rule.severity,
        "state": found.state,
        "text": found.text,
        "value": found.value,
        "since": found.since,
        "flaps": found.flaps,
        "clear_since": found.clear_since,
        "unknown_since": found.unknown_since,
        "told_at": found.told_at,
        "told": list(found.told),
        "acknowledged_by": found.acked_by if found.is_acknowledged(current_time()) else None,
        "acknowledged_until": found.acked_until if found.is_acknowledged(current_time()) else None,
        "note": found.note,
        "targets": list(plot_targets(found.key, rule)),
    }


def _describe_silence(silence: Silence) -> dict[str, Any]:
    described = asdict(silence)
    return described if silence.number else {**described, "number": None}


@blueprint.post("/alerts/azure")
def take_from_azure() -> Response:
    """204 once it is kept; sending it again changes nothing."""
    _check_azure_secret()
    now = current_time()
    try:
        told = parse_azure(read_change(), now)
        with open_store(current_settings().state_dir) as store:
            before = store.read_azure()
            after = take_in(before, told, now)
            if after != before:
                store.write_azure(after)
                what = "azure: fired" if told.over_at is None else "azure: resolved"
                store.note(HistoryEntry(now, what, "azure", "", told.place, "", told.text))
    except ValueError as fault:
        raise RequestRefused(400, "body_refused", str(fault)) from None
    except (OSError, sqlite3.Error) as error:
        raise RequestRefused(503, "cannot_keep", f"it cannot be kept: {error}", retry_after_s=60) from None
    return Response(status=204, headers={"Cache-Control": "no-store"})


def _check_azure_secret() -> None:
    """Of several lines each is good, so that one can be changed for another."""
    file = current_settings().azure_secret_file
    if file is None:
        off = "no alerts of Azure are taken here: WEBAPP_AZURE_SECRET_FILE is not set"
        raise RequestRefused(403, "azure_off", off)
    secrets = read_tokens(file, "WEBAPP_AZURE_SECRET_FILE").split()
    if short := [word for word in secrets if len(word) < TOKEN_LENGTH_MIN]:
        text = f"WEBAPP_AZURE_SECRET_FILE: {len(short)} secrets have less than {TOKEN_LENGTH_MIN} characters"
        raise RequestRefused(503, "token_unreadable", text)
    given = request.args.get("secret", "").encode("utf-8", "replace")
    if not fits_any(given, secrets):
        raise RequestRefused(401, "token_refused", "the secret in the address is not one of ours")
