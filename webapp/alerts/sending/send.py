"""`python -m webapp.alerts.sending.send`: sends what is due, and ends by itself.

At least once: the attempt is noted before it is made, and a message that was not marked as sent comes again
with the same id. An action is run once and never again. No address is printed or kept. It imports little, for
it runs within the page's limit of memory.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from cloud_monitor.system.locks import take_lock
from webapp.alerts.sending.channel import deliver
from webapp.alerts.sending.orders import ActionOrder, SendOrders
from webapp.alerts.sending.outbox import ACTION, ClaimedMessage, OutMessage
from webapp.alerts.store import HistoryEntry, open_store

log = logging.getLogger(__name__)

LOCK_NAME = "alerts-send.lock"
_ALL_S = 50.0  # from which on nothing new is begun
_LOOK_S = 0.5  # while an action runs
_LEFT_S = 320  # an action may take so long
_ERROR_MAX = 300


def send_due(state_dir: Path, orders: SendOrders) -> None:
    """Everything that is due, each channel until it fails, the ones that failed before last.

    No message waits for an action: while one runs, what becomes due is sent.
    """
    failed: set[str] = set()
    acting: dict[str, threading.Thread] = {}
    until = time.monotonic() + _ALL_S
    while True:
        running = {name for name, one in acting.items() if one.is_alive()}
        if time.monotonic() >= until and not running:
            return
        with open_store(state_dir) as store:
            claim = store.outbox.claim(time.time(), orders.back_off_s[0], frozenset(failed | running))
        if claim is None:
            if not running:
                return
            failed.clear()  # each is due again in its own time
            time.sleep(_LOOK_S)
            continue
        if claim.message.channel.startswith(ACTION):
            acting[claim.message.channel] = threading.Thread(target=_act, args=(state_dir, orders, claim))
            acting[claim.message.channel].start()
            continue
        error = _deliver(claim.message, orders)
        now = time.time()
        with open_store(state_dir) as store:
            if not error:
                store.outbox.note_sent(claim.number, claim.message.channel, now)
                continue
            failed.add(claim.message.channel)
            again_s = orders.back_off_s[min(claim.attempts, len(orders.back_off_s)) - 1]
            store.outbox.note_failed(claim.number, claim.message.channel, error, now, now + again_s)
            log.warning("channel %s: %s; again in %g s", claim.message.channel, error, again_s)


def send_given(orders: SendOrders) -> None:
    """Without any state: once, each on its channel."""
    for message in orders.messages or ():
        if error := _deliver(message, orders):
            log.error("channel %s: %s; the message is lost", message.channel, error)


def _deliver(message: OutMessage, orders: SendOrders) -> str:
    try:
        return deliver(message, orders.address_of(message.channel))
    except ValueError as refused:
        return str(refused)


def run_action(message: OutMessage, action: ActionOrder) -> str:
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


def _act(state_dir: Path, orders: SendOrders, claim: ClaimedMessage) -> None:
    """Once, and noted before: a sender that dies meanwhile leaves it at that."""
    name, message = claim.message.channel.removeprefix(ACTION), claim.message
    action, now = orders.actions.get(name), time.time()
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
        if error and action is not None:
            title, body = f"[ACTION FAILED] {told}"[:150], f"{told}\n{message.body}"
            store.outbox.queue(
                (OutMessage(f"{message.id}-failed", "firing", one, f"{message.alert}-{name}", title, body)
                 for one in action.channels), time.time(),
            )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    options = parser.parse_args(arguments)
    logging.basicConfig(level="WARNING", format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("apprise").propagate = False
    signal.alarm(_LEFT_S)
    orders = SendOrders.parse(sys.stdin.buffer.read())
    if orders.messages is not None:
        send_given(orders)
        return
    if take_lock(options.state_dir / LOCK_NAME) is not None:  # let go of when this process ends
        send_due(options.state_dir, orders)


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
