"""Commands that an operator configured: once an episode, noted first, never resent, in time, with a word."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.services.receivers import HttpReceiver, http_receiver
from tests.services.support import wait_until
from tests.webapp.alerts.test_evaluate import Deployment, write_rules
from webapp.alerts.rules.rules import AlertSettings, read_alert_settings
from webapp.alerts.sending.outbox import ACTION, OutMessage
from webapp.alerts.sending.sender import start_sender
from webapp.alerts.store import open_store, read_alerts, read_history

NOTES = (
    "import os, sys, time; notes = open(sys.argv[1], 'a'); "
    "print(os.environ['ALERT_ID'], file=notes, flush=True); "
)


def rules(tmp_path: Path, code: str, hook: HttpReceiver, **action: Any) -> Path:
    """A rule whose action runs Python code that first notes its run in the file `runs`."""
    command = [sys.executable, "-c", NOTES + code, str(tmp_path / "runs")]
    options = "".join(f"{name} = {json.dumps(value)}\n" for name, value in action.items())
    return write_rules(
        tmp_path,
        f'[channels]\nhook = "json://{hook.host}/"\nboss = "json://{hook.host}/boss"\n'
        f"[actions.mend]\ncommand = {json.dumps(command)}\n{options}"
        '[[rule]]\nname = "poll_failing"\naction = "mend"\nescalate_to = ["boss"]\n',
    )


def runs(tmp_path: Path) -> list[str]:
    file = tmp_path / "runs"
    return file.read_text().split() if file.exists() else []


def events(deployment: Deployment) -> list[str]:
    entries = read_history(deployment.state_dir, 100)
    return [f"{one.what}: {one.text}" for one in reversed(entries) if one.what.startswith("action")]


def test_an_action_runs_once_an_episode_with_an_event_before_and_after(tmp_path: Path) -> None:
    with http_receiver() as hook:
        deployment = Deployment(tmp_path / "state", rules(tmp_path, "", hook, at_most_each="0s"))
        deployment.minutes(12, "refused")
        wait_until(lambda: len(events(deployment)) == 2, "it has ended")
        (first,) = runs(tmp_path)
        deployment.minutes(8)
        deployment.minutes(8, "refused")
        wait_until(lambda: len(runs(tmp_path)) == 2, "the next episode's")
        wait_until(lambda: len(events(deployment)) == 4, "it has ended")
    assert events(deployment) == ["action begins: mend", "action ended: mend: done"] * 2
    assert len(set(runs(tmp_path))) == 2
    assert any(one.alert == first for one in read_history(deployment.state_dir, 100))


def queue_action(state_dir: Path, number: int = 1) -> None:
    with open_store(state_dir) as store:
        message = OutMessage(f"a-{number}", "action", f"{ACTION}mend", f"a-{number}", "title", "text")
        store.outbox.queue([message], time.time())


def send(state_dir: Path, settings: AlertSettings) -> None:
    assert start_sender(state_dir, settings, back_off_s=(0.0,)).wait(60) == 0


def test_no_message_waits_for_an_action(tmp_path: Path) -> None:
    with http_receiver() as hook:
        wait = "path = sys.argv[1] + '.go'\nwhile not os.path.exists(path): time.sleep(0.1)"
        settings = read_alert_settings(rules(tmp_path, wait, hook, timeout="5m"))
        state_dir = tmp_path / "state"
        state_dir.mkdir()
        queue_action(state_dir)
        sender = start_sender(state_dir, settings, back_off_s=(0.0,))
        wait_until(lambda: runs(tmp_path), "the action runs")
        with open_store(state_dir) as store:
            store.outbox.queue([OutMessage("b", "firing", "hook", "b", "disk", "full")], time.time())
        wait_until(lambda: hook.got, "the message is sent")
        time.sleep(1.5)
        assert sender.poll() is None
        (tmp_path / "runs.go").touch()
        assert sender.wait(60) == 0
    assert len(runs(tmp_path)) == 1
    assert [one.what for one in read_history(state_dir, 9)] == ["action ended", "action begins"]
    assert [one.text for one in read_history(state_dir, 1)] == ["mend: done"]


def test_one_whose_sender_was_killed_is_not_run_again(tmp_path: Path) -> None:
    with http_receiver() as hook:
        settings = read_alert_settings(rules(tmp_path, "time.sleep(30)", hook, timeout="60s"))
        queue_action(tmp_path)
        sender = start_sender(tmp_path, settings, back_off_s=(0.0,))
        wait_until(lambda: runs(tmp_path), "it runs")
        began = [one.what for one in read_history(tmp_path, 10)]
        sender.kill()
        sender.wait()
        send(tmp_path, settings)
        assert began == ["action begins"], "noted before it ran"
        assert len(runs(tmp_path)) == 1
        ended = read_history(tmp_path, 10)[0]
        assert (ended.what, "not run again" in ended.text) == ("action ended", True)
        assert read_alerts(tmp_path).waiting == 0
        assert {one["title"][:15] for one in hook.got} == {"[ACTION FAILED]"}


@pytest.mark.parametrize(
    ("code", "options", "told"),
    [
        ("time.sleep(30)", {"timeout": "1s"}, "it did not end within 1 s"),
        ("sys.exit('no such unit')", {}, "it ended with status 1: no such unit"),
    ],
)
def test_one_that_fails_is_told_on_its_channels_and_those_it_escalates_to(
    tmp_path: Path, code: str, options: dict[str, str], told: str
) -> None:
    with http_receiver() as hook:
        settings = read_alert_settings(rules(tmp_path, code, hook, **options))
        queue_action(tmp_path)
        send(tmp_path, settings)
        assert [one["title"] for one in hook.got] == [f"[ACTION FAILED] mend: {told}"] * 2
        assert sorted(hook.paths) == ["/", "/boss"]
        assert read_history(tmp_path, 1)[0].text == f"mend: {told}"


def test_one_that_may_fail_in_silence_does(tmp_path: Path) -> None:
    with http_receiver() as hook:
        settings = read_alert_settings(rules(tmp_path, "sys.exit(1)", hook, escalate_if_failed=False))
        queue_action(tmp_path)
        send(tmp_path, settings)
        assert hook.got == []


def test_one_is_not_run_more_often_than_it_may(tmp_path: Path) -> None:
    with http_receiver() as hook:
        settings = read_alert_settings(rules(tmp_path, "", hook, at_most_each="1h"))
        for number in (1, 2):
            queue_action(tmp_path, number)
        send(tmp_path, settings)
        assert runs(tmp_path) == ["a-1"]
        assert {one["title"] for one in hook.got} == {"[ACTION FAILED] mend: it ran less than 3600 s ago"}


def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    with http_receiver() as hook:
        file = rules(tmp_path, "", hook)
        file.write_text(file.read_text().replace(json.dumps(sys.executable), '"/nowhere/mend"'))
        queue_action(tmp_path)
        send(tmp_path, read_alert_settings(file))
        assert read_history(tmp_path, 1)[0].text == "mend: it cannot be run: No such file or directory"
