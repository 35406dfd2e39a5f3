"""Delivery on one channel by apprise, the one module that imports it.

apprise reads all of its hundred plugins (18 MB) at the first address; of the kinds that the docs name only
that of the address is imported.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from webapp.alerts.sending.outbox import OutMessage

NEEDS_APPRISE = "apprise is not installed: pip install 'cloud-monitor[alerts]'"
ONE_S = 10.0  # longest time for one message
_ERROR_MAX = 300
_PLUGINS = {
    "mailto": "email", "mailtos": "email", "json": "custom_json", "jsons": "custom_json", "ntfy": "ntfy",
    "ntfys": "ntfy", "opsgenie": "opsgenie", "pagerduty": "pagerduty", "pover": "pushover",
    "slack": "slack", "twilio": "twilio", "workflows": "workflows",
}  # fmt: skip
_CLASSES = {
    "email": "NotifyEmail", "custom_json": "NotifyJSON", "ntfy": "NotifyNtfy", "opsgenie": "NotifyOpsgenie",
    "pagerduty": "NotifyPagerDuty", "pushover": "NotifyPushover", "slack": "NotifySlack",
    "twilio": "NotifyTwilio", "workflows": "NotifyWorkflows",
}  # fmt: skip
_BY_HOST = {  # addresses as the vendors give them
    ".logic.azure.com": "workflows", ".api.powerplatform.com": "workflows", "hooks.slack.com": "slack",
}  # fmt: skip


def deliver(message: OutMessage, address: str) -> str:
    """Send it; why that failed, or nothing. What opens an incident and what closes it have one key."""
    try:
        import apprise
    except ModuleNotFoundError:
        return NEEDS_APPRISE
    # Its own icons and footer would name another's address; without memory it would write to the home.
    asset = apprise.AppriseAsset(
        app_id="Cloud Monitor",
        app_desc="Cloud Monitor",
        app_url="",
        image_url_mask=None,
        storage_mode="memory",
    )
    target = apprise.Apprise(asset=asset)
    with _LastLogLines() as words:
        found = _plugin_of(with_key(address, message.alert), asset)
        if found is None or not target.add(found):
            return words.text or "its address is not understood"
        is_over = message.kind == "resolved"
        if is_over and address.lower().startswith("opsgenie://") and found.action == "map":
            return _within(ONE_S, lambda: _close_in_opsgenie(found, message))
        kind = apprise.NotifyType.SUCCESS if is_over else apprise.NotifyType.FAILURE
        # As text: names of jobs and VMs are in it, which would be markup in a mail.
        result = target.notify(
            title=message.title, body=message.body, notify_type=kind, timeout=ONE_S,
            body_format=apprise.NotifyFormat.TEXT,
        )  # fmt: skip
    return "" if result else words.text or "it was not taken, or not within the time"


def _close_in_opsgenie(plugin: Any, message: OutMessage) -> str:
    """By the key that opened it: apprise closes only what its own process has opened."""
    import requests
    from apprise.plugins.opsgenie import OPSGENIE_API_LOOKUP

    url = f"{OPSGENIE_API_LOOKUP[plugin.region_name]}/{quote(plugin.alias, safe='')}/close"
    try:
        answer = requests.post(
            url, params={"identifierType": "alias"}, json={"source": plugin.app_desc, "note": message.body},
            headers={"Authorization": f"GenieKey {plugin.apikey}"}, timeout=4,
        )  # fmt: skip
    except requests.RequestException as error:
        return f"Opsgenie does not answer: {type(error).__name__}"
    return "" if answer.status_code in (200, 202) else f"Opsgenie does not close it: {answer.status_code}"


def _within(seconds: float, act: Callable[[], str]) -> str:
    """What it answers; one that drips keeps its thread, which ends with the process."""
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(act()), daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else f"not done within {seconds:g} s"


def with_key(address: str, key: str) -> str:
    """The address by which what opens an incident and what closes it have one key."""
    scheme, _, rest = address.partition("://")
    join = "&" if "?" in rest else "?"
    if scheme.lower() == "pagerduty" and "dedup=" not in rest:
        return f"{address}{join}action=map&dedup={key}"
    if scheme.lower() == "opsgenie" and "alias=" not in rest:
        return f"{address}{join}action=map&alias={key}"
    return address


def _plugin_of(address: str, asset: Any) -> Any:
    """A plugin for the address, made as apprise makes it; the address itself where apprise is to find it."""
    scheme, _, rest = address.replace("/#", "/%23").partition("://")
    host = rest.partition("/")[0].partition(":")[0]
    of_host = (to for end, to in _BY_HOST.items() if host.endswith(end))
    name = _PLUGINS.get(scheme.lower()) or next(of_host, "")
    if not name:
        return address
    try:
        plugin = getattr(importlib.import_module(f"apprise.plugins.{name}"), _CLASSES[name])
    except (ImportError, AttributeError):  # another version keeps it elsewhere
        return address
    parse = plugin.parse_url if scheme.lower() in _PLUGINS else plugin.parse_native_url
    try:
        parts = parse(f"{scheme}://{rest}")
        return plugin(**{**parts, "asset": asset}) if parts else None
    except TypeError:
        return None


class _LastLogLines(logging.Handler):
    """What apprise logs of a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = " ".join(record.getMessage().split())[:_ERROR_MAX]

    def __enter__(self) -> _LastLogLines:
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)
