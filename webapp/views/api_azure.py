"""`/api/alerts/azure`: where action groups of Azure leave their alerts. Described in openapi.json.

Azure's webhooks carry no header of ours, so the secret is in the address; it is good for this path alone. No
message and no log line of ours quotes it, and apache/cloud_monitor.conf keeps it out of Apache's.
"""

from __future__ import annotations

import sqlite3

from flask import Blueprint, Response, request

from webapp.alerts.azure import parse_azure, take_in
from webapp.alerts.store import HistoryEntry, open_store
from webapp.errors import RequestRefused
from webapp.serving.context import current_settings, current_time
from webapp.serving.identity import TOKEN_LENGTH_MIN, fits_any, read_change, read_tokens

blueprint = Blueprint("api_azure", __name__, url_prefix="/api")


@blueprint.post("/alerts/azure")
def take() -> Response:
    """204 once it is kept; sending it again changes nothing."""
    _check_secret()
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


def _check_secret() -> None:
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
