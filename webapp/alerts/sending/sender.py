"""Starts the short process that sends (webapp.alerts.sending.send), with all that it needs to know."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from webapp.alerts.rules.rules import AddressFile, AlertSettings
from webapp.alerts.sending.orders import BACK_OFF_S, ActionOrder, SendOrders
from webapp.alerts.sending.outbox import OutMessage

log = logging.getLogger(__name__)


def orders_of(
    settings: AlertSettings,
    messages: Iterable[OutMessage] | None = None,
    back_off_s: tuple[float, ...] = BACK_OFF_S,
) -> SendOrders:
    """What the sender needs of the settings; the messages where none are kept."""
    actions = {}
    for name, action in settings.actions.items():
        rules = [one for one in settings.rules.values() if one.action == name]
        told = dict.fromkeys(c for one in rules for c in (*one.channels, *one.escalate_to))
        channels = tuple(told) if action.escalate_if_failed else ()
        actions[name] = ActionOrder(action.command, action.timeout_s, action.at_most_each_s, channels)
    files = {
        name: str(one.file.absolute())
        for name, one in settings.channels.items()
        if isinstance(one, AddressFile)
    }
    addresses = {name: one for name, one in settings.channels.items() if isinstance(one, str)}
    return SendOrders(addresses, files, actions, back_off_s, None if messages is None else tuple(messages))


def start_sender(
    state_dir: Path,
    settings: AlertSettings,
    messages: Iterable[OutMessage] | None = None,
    back_off_s: tuple[float, ...] = BACK_OFF_S,
) -> subprocess.Popen[bytes]:
    """The short process that sends what is due, or the messages given; it ends by itself.

    It is told by a pipe: addresses are secrets, and reading the settings itself would take much memory.
    """
    command = [
        sys.executable,
        "-P",
        "-m",
        "webapp.alerts.sending.send",
        "--state-dir",
        str(state_dir.absolute()),
    ]
    # Under mod_wsgi the interpreter is the system's, which knows nothing of an environment's packages.
    path = os.pathsep.join(filter(None, sys.path))
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": path, "MALLOC_ARENA_MAX": "1"}
    sender = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment, start_new_session=True
    )
    assert sender.stdin is not None
    try:
        with sender.stdin:
            sender.stdin.write(orders_of(settings, messages, back_off_s).as_json())
    except OSError as error:
        log.warning("the sender of alerts ended at once: %s", error)
    return sender
