"""`python -m webapp.alerts.send`: sends what is due, and ends by itself.

At least once: the attempt is noted before it is made, and a message that was not marked as sent comes again
with the same id. An action is run once and never again. No address is printed or kept.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from webapp.alerts.message import ACTION
from webapp.alerts.outbox import ClaimedMessage, OutMessage
from webapp.alerts.rules import AddressFile, AlertAction, AlertSettings, read_alert_settings
from webapp.alerts.store import HistoryEntry, open_store

log = logging.getLogger(__name__)

LOCK_NAME = "alerts-send.lock"
BACK_OFF_S = (15.0, 60.0, 300.0, 900.0)  # after each failure; the last one from then on
_ONE_S = 10.0  # longest time for one message
_ALL_S = 50.0  # from which on nothing new is begun
_LEFT_S = 320  # an action may take so long
_ERROR_MAX = 300
NEEDS_APPRISE = "apprise is not installed: pip install 'cloud-monitor[alerts]'"


def messages_as_json(messages: Iterable[OutMessage]) -> bytes:
    return json.dumps([asdict(one) for one in messages]).encode()


def address_of(channel: str, settings: AlertSettings) -> str:
    """Raises ValueError where there is none."""
    address = settings.channels.get(channel)
    if address is None:
        raise ValueError(f"there is no channel {channel!r} any more")
    if isinstance(address, AddressFile):
        try:
            return address.file.read_text().split("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"its file cannot be read: {error}") from None
    return address


def deliver(message: OutMessage, address: str) -> str:
    """Send it; why that failed, or nothing. What opens an incident and what closes it have one key."""
    try:
        import apprise
    except ModuleNotFoundError:
        return NEEDS_APPRISE
    scheme, _, rest = address.partition("://")
    if scheme == "pagerduty" and "dedup=" not in rest:
        address += f"{'&' if '?' in rest else '?'}action=map&dedup={message.alert}"
    elif scheme == "opsgenie" and "alias=" not in rest:
        address += f"{'&' if '?' in rest else '?'}action=map&alias={message.alert}"
    # Its own icons and footer would name another's address; without memory it would write to the home.
    asset = apprise.AppriseAsset(
        app_id="Cloud Monitor",
        app_desc="Cloud Monitor",
        app_url="",
        image_url_mask=None,
        storage_mode="memory",
    )
    target = apprise.Apprise(asset=asset)
    if not target.add(address):
        return "its address is not understood"
    is_over = message.kind == "resolved"
    kind = apprise.NotifyType.SUCCESS if is_over else apprise.NotifyType.FAILURE
    with _LastWords() as words:
        result = target.notify(title=message.title, body=message.body, notify_type=kind, timeout=_ONE_S)
    return "" if result else words.text or "it was not taken, or not within the time"


class _LastWords(logging.Handler):
    """What apprise logs of a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = " ".join(record.getMessage().split())[:_ERROR_MAX]

    def __enter__(self) -> _LastWords:
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)


def run_action(message: OutMessage, action: AlertAction) -> str:
    """Run the command without a shell; why it failed, or nothing."""
    names = {"ALERT_ID": message.alert, "ALERT_TITLE": message.title, "ALERT_TEXT": message.body}
    try:
        ended = subprocess.run(
            action.command, env={**os.environ, **names}, timeout=action.timeout_s, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it did not end within {action.timeout_s:g} s"
    except OSError as error:
        return f"it cannot be run: {error.strerror}"
    said = ended.stderr.decode("utf-8", "replace").strip()[-_ERROR_MAX:]
    return f"it ended with status {ended.returncode}: {said}" if ended.returncode else ""


def send_due(state_dir: Path, settings: AlertSettings) -> None:
    """Everything that is due, each channel until it fails, the ones that failed before last."""
    failed: set[str] = set()
    until = time.monotonic() + _ALL_S
    while time.monotonic() < until:
        with open_store(state_dir) as store:
            claim = store.outbox.claim(time.time(), BACK_OFF_S[0], frozenset(failed))
        if claim is None:
            return
        if claim.message.channel.startswith(ACTION):
            _act(state_dir, settings, claim)
            continue
        try:
            error = deliver(claim.message, address_of(claim.message.channel, settings))
        except ValueError as refused:
            error = str(refused)
        now = time.time()
        with open_store(state_dir) as store:
            if not error:
                store.outbox.note_sent(claim.number, claim.message.channel, now)
                continue
            failed.add(claim.message.channel)
            again_s = BACK_OFF_S[min(claim.attempts, len(BACK_OFF_S)) - 1]
            store.outbox.note_failed(claim.number, claim.message.channel, error, now, now + again_s)
            log.warning("channel %s: %s; again in %g s", claim.message.channel, error, again_s)


def _act(state_dir: Path, settings: AlertSettings, claim: ClaimedMessage) -> None:
    """Once, and noted before: a sender that dies meanwhile leaves it at that."""
    name, message = claim.message.channel.removeprefix(ACTION), claim.message
    action, now = settings.actions.get(name), time.time()
    error = ""
    with open_store(state_dir) as store:
        if claim.attempts > 1:
            error = "its process died; it is not run again"
        elif action is None:
            error = "there is no such action any more"
        elif now - store.action_begun_at(name) < action.at_most_each_s:
            error = f"it ran less than {action.at_most_each_s:g} s ago"
        else:
            store.note_action(name, now)
            store.note(HistoryEntry(now, "action begins", "", "", "", message.alert, name))
        if error:
            store.outbox.give_up(claim.number, error, now)
    if not error and action is not None:
        error = run_action(message, action)
        with open_store(state_dir) as store:
            if not error:
                store.outbox.note_sent(claim.number, message.channel, time.time())
            else:
                store.outbox.give_up(claim.number, error, time.time())
    with open_store(state_dir) as store:
        told = f"{name}: {error or 'done'}"
        store.note(HistoryEntry(time.time(), "action ended", "", "", "", message.alert, told))
        if error and action is not None and action.escalate_if_failed:
            rules = (one for one in settings.rules.values() if one.action == name)
            channels = dict.fromkeys(c for one in rules for c in (*one.channels, *one.escalate_to))
            title, body = f"[ACTION FAILED] {told}"[:150], f"{told}\n{message.body}"
            store.outbox.queue(
                (OutMessage(f"{message.id}-failed", "firing", one, f"{message.alert}-{name}", title, body)
                 for one in channels), time.time(),
            )  # fmt: skip


def send_given(messages: Iterable[OutMessage], settings: AlertSettings) -> None:
    """Without any state: once, each on its channel."""
    for message in messages:
        try:
            error = deliver(message, address_of(message.channel, settings))
        except ValueError as refused:
            error = str(refused)
        if error:
            log.error("channel %s: %s; the message is lost", message.channel, error)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--alerts-file", type=Path)
    parser.add_argument("--given", action="store_true", help="send what standard input holds")
    options = parser.parse_args(arguments)
    logging.basicConfig(level="WARNING", format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("apprise").propagate = False
    signal.alarm(_LEFT_S)
    settings = read_alert_settings(options.alerts_file)
    if options.given:
        send_given([OutMessage(**one) for one in json.load(sys.stdin)], settings)
        return
    with open(options.state_dir / LOCK_NAME, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        send_due(options.state_dir, settings)


def run() -> NoReturn:
    status = 1
    try:
        main()
        status = 0
    except Exception:
        log.exception("nothing more is sent")
    finally:
        logging.shutdown()
        os._exit(status)  # a channel that drips keeps a thread


if __name__ == "__main__":
    run()
