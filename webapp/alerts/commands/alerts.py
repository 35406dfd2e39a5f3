"""`webapp alerts ...`: what is wrong, the rules, a test of a channel, acknowledging and silencing.

Whoever changes something is named in the history. Only the owner of the state folder may: a file of another
user would lock the page out.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cloud_monitor.system.text import duration_text, without_controls
from webapp.alerts.changes import (
    SILENCE_MAX_S,
    SILENCE_S,
    ChangeRefused,
    acknowledge_alert,
    end_silence,
    publish_count,
    silence_place,
    take_back,
)
from webapp.alerts.commands.caller import (
    EXIT_REFUSED,
    CommandRefused,
    check_owner,
    in_seconds,
    name_of_caller,
)
from webapp.alerts.commands.replay import replay_past
from webapp.alerts.engine import ACK_S
from webapp.alerts.model import Alert, Silence
from webapp.alerts.rules.rules import AlertSettings, read_alert_settings
from webapp.alerts.sending.message import shown_place
from webapp.alerts.sending.outbox import OutMessage
from webapp.alerts.sending.sender import start_sender
from webapp.alerts.store import HistoryEntry, load_alerts, load_history, open_store
from webapp.graphite.client import GraphiteFault
from webapp.model.build import GridOrder
from webapp.settings import PollSettings

_TEST_S = 40.0
_REPLAY_MAX_S = 31 * 86400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
    commands = parser.add_subparsers(dest="alerts_command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="what holds, who takes care of it, what is silenced, how channels do")
    commands.add_parser("rules", help="the rules that count")
    test = commands.add_parser("test", help="send a message the way a real one goes")
    test.add_argument("channel")
    ack = commands.add_parser("ack", help="say that somebody takes care of it")
    ack.add_argument("id", help="of the alert, as list shows it")
    ack.add_argument("--for", dest="for_s", type=in_seconds, default=ACK_S, metavar="TIME", help="4h")
    ack.add_argument("--note", default="")
    unack = commands.add_parser("unack", help="take an acknowledgement back")
    unack.add_argument("id", help="of the alert, as list shows it")
    silence = commands.add_parser("silence", help="tell nothing of a place and what is below it")
    silence.add_argument("place", help="such as atlas or atlas/cern; * for all")
    silence.add_argument("--rule", default="*")
    silence.add_argument("--for", dest="for_s", type=in_seconds, default=SILENCE_S, metavar="TIME", help="2h")
    silence.add_argument("--until-over", action="store_true", help="ends when what it covers is over")
    silence.add_argument("--comment", default="")
    unsilence = commands.add_parser("unsilence", help="end a silence")
    unsilence.add_argument("number", type=int)
    past = commands.add_parser("replay", help="what these rules would have told, from Graphite's past")
    past.add_argument(
        "--from", dest="from_s", type=_ago, default=86400.0, metavar="-TIME", help="such as -1d, or -6h"
    )
    history = commands.add_parser("history", help="what has happened, the newest first")
    history.add_argument("--id", default="", help="of one alert")
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="for programs")
        command.add_argument("--by", default="", help="who you are, if not the user that is logged in")


def run_command(
    options: argparse.Namespace,
    state_dir: Path,
    alerts_file: Path | None,
    poll: PollSettings,
    order: GridOrder,
) -> int:
    settings = read_alert_settings(alerts_file)
    command: Callable[..., tuple[object, str]] = _COMMANDS[options.alerts_command]
    try:
        data, text = command(options, state_dir, settings, poll, order)
    except (ChangeRefused, GraphiteFault) as refused:
        print(without_controls(str(refused)), file=sys.stderr)
        return EXIT_REFUSED
    except (OSError, sqlite3.Error, ValueError, TypeError, KeyError) as error:
        print(f"WEBAPP_STATE_DIR={state_dir}: {error}", file=sys.stderr)
        return EXIT_REFUSED
    if options.json:
        print(json.dumps(data))
    else:
        print("\n".join(without_controls(line) for line in text.splitlines()))
    return 0


def _list(
    options: argparse.Namespace, state_dir: Path, settings: AlertSettings, *_: object
) -> tuple[Any, str]:
    state, now = load_alerts(state_dir), time.time()
    alerts = sorted(state.known.alerts.values(), key=lambda one: (one.cause is not None, one.since))
    lines = [_line(one, now) for one in alerts] or ["nothing is wrong"]
    for silence in state.silences:
        left = "until it is over" if silence.until_over else f"for {duration_text(silence.ends_at - now)}"
        lines.append(f"silence {silence.number}: {silence.place} {silence.rule} {silence.words}, {left}")
    for one in state.channels:
        how = f"{one.failures} failures: {one.error}" if one.failures else "delivers"
        lines.append(f"channel {one.name}: {how}")
    if not state.evaluated_at:
        lines.append("never evaluated: is the page running?")
    elif now - state.evaluated_at > 180:
        lines.append(f"not evaluated for {duration_text(now - state.evaluated_at)}: is the page running?")
    data = {
        "evaluated_at": state.evaluated_at,
        "alerts": [{"id": one.id, **asdict(one)} for one in alerts],
        "silences": [asdict(one) for one in state.silences],
        "channels": [asdict(one) for one in state.channels],
        "waiting_messages": state.waiting,
    }
    return data, "\n".join(lines)


def _line(alert: Alert, now: float) -> str:
    words: list[str] = [alert.state]
    if alert.cause is not None:
        words.append(f"behind {alert.cause.rule}")
    if alert.is_acknowledged(now):
        words.append(f"acknowledged by {alert.acked_by}")
    if alert.silenced:
        words.append(f"silenced {alert.silenced}")
    if alert.clear_since is not None:
        words.append("over, is kept")
    place = shown_place(alert.key.place) or "everything"
    age = duration_text(max(0.0, now - alert.since))
    return f"{alert.id}  {', '.join(words)}  {alert.key.rule}  {place}: {alert.text} (for {age})"


def _rules(
    options: argparse.Namespace, state_dir: Path, settings: AlertSettings, *_: object
) -> tuple[Any, str]:
    lines = []
    for rule in settings.rules.values():
        limit = f"above {rule.above:g}" if rule.above is not None else f"below {rule.below or 0:g}"
        what = f"{rule.figure} {limit}" if rule.figure else f"when {rule.when}"
        who = ", ".join(rule.channels) or "nobody"
        lines.append(f"{rule.name}: {rule.severity}, {what}, for {duration_text(rule.for_s)}, to {who}")
    data = [rule.model_dump(mode="json", by_alias=True) for rule in settings.rules.values()]
    return data, "\n".join(lines)


def _test(
    options: argparse.Namespace, state_dir: Path, settings: AlertSettings, *_: object
) -> tuple[Any, str]:
    channel = options.channel
    if channel not in settings.channels:
        known = ", ".join(settings.channels) or "none; WEBAPP_ALERTS_FILE names them in [channels]"
        raise CommandRefused(f"there is no channel {channel!r}; there are: {known}")
    now = time.time()
    message = OutMessage(
        f"test-{time.time_ns()}", "test", channel, "test", "[TEST] Cloud Monitor",
        f"A test of this channel by {_who(options)}. Nothing is wrong.",
    )  # fmt: skip
    with _writing(state_dir) as store:
        store.outbox.queue([message], now)
        store.note(HistoryEntry(now, "test", _who(options), "", "", "", f"channel {channel}"))
    until = time.monotonic() + _TEST_S
    sender = start_sender(state_dir, settings)
    while time.monotonic() < until:
        with open_store(state_dir) as store:
            found = store.outbox.read_message(message.id, channel)
        if found is not None and found[1] is not None:
            return {"delivered": True}, f"channel {channel}: delivered"
        if found is not None and found[2]:
            raise CommandRefused(f"channel {channel}: {found[2]}; it is tried again by the page")
        if sender.poll() is not None:  # another one was at it
            sender = start_sender(state_dir, settings)
        time.sleep(0.2)
    raise CommandRefused(f"channel {channel}: no answer within {_TEST_S:g} s; it is tried again by the page")


def _ack(
    options: argparse.Namespace, state_dir: Path, settings: AlertSettings, *_: object
) -> tuple[Any, str]:
    by, now = _who(options), time.time()
    with _writing(state_dir) as store:
        alert = acknowledge_alert(store, options.id, by, now, for_s=options.for_s, note=options.note)
        publish_count(store, settings, state_dir, now)
    return {"id": alert.id, "until": alert.acked_until}, f"acknowledged for {duration_text(options.for_s)}"


def _unack(
    options: argparse.Namespace, state_dir: Path, settings: AlertSettings, *_: object
) -> tuple[Any, str]:
    now = time.time()
    with _writing(state_dir) as store:
        alert = take_back(store, options.id, _who(options), now)
        publish_count(store, settings, state_dir, now)
    return {"id": alert.id}, "nobody takes care of it now"


def _silence(
    options: argparse.Namespace, state_dir: Path, settings: AlertSettings, *_: object
) -> tuple[Any, str]:
    by, now = _who(options), time.time()
    ends_at = now + (SILENCE_MAX_S if options.until_over else options.for_s)
    silence = Silence(options.rule, options.place, now, ends_at, by, options.comment, options.until_over)
    with _writing(state_dir) as store:
        number, covered = silence_place(store, silence, settings)
        publish_count(store, settings, state_dir, now)
    return {"number": number, "covers": covered}, f"silence {number}: covers {covered} alerts now"


def _unsilence(
    options: argparse.Namespace, state_dir: Path, settings: AlertSettings, *_: object
) -> tuple[Any, str]:
    now = time.time()
    with _writing(state_dir) as store:
        end_silence(store, options.number, _who(options), now)
        publish_count(store, settings, state_dir, now)
    return {"number": options.number}, f"silence {options.number} has ended"


def _history(options: argparse.Namespace, state_dir: Path, *_: object) -> tuple[Any, str]:
    entries = load_history(state_dir, 200, options.id)
    lines = [
        f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(one.at))}  {one.what}"
        + (f" by {one.by}" if one.by else "")
        + "".join(f"  {text}" for text in (one.rule, shown_place(one.place), one.text) if text)
        for one in entries
    ]
    return [asdict(one) for one in entries], "\n".join(lines) or "nothing has happened"


def _writing(state_dir: Path) -> Any:
    """A transaction of the store, for the owner of the folder alone. Raises CommandRefused for others."""
    check_owner(state_dir)
    return open_store(state_dir)


def _replay(
    options: argparse.Namespace, _: Path, settings: AlertSettings, poll: PollSettings, order: GridOrder
) -> tuple[Any, str]:
    return replay_past(settings, poll, order, options.from_s)


def _who(options: argparse.Namespace) -> str:
    return name_of_caller(options.by)


def _ago(text: str) -> float:
    """`-1d`; the sign may be left out."""
    seconds = in_seconds(text.removeprefix("-"))
    if not 0 < seconds <= _REPLAY_MAX_S:
        raise argparse.ArgumentTypeError(f"up to {duration_text(_REPLAY_MAX_S)} can be replayed")
    return seconds


_COMMANDS: Mapping[str, Callable[..., tuple[object, str]]] = {
    "list": _list, "rules": _rules, "test": _test, "ack": _ack, "unack": _unack, "silence": _silence,
    "unsilence": _unsilence, "history": _history, "replay": _replay,
}  # fmt: skip
