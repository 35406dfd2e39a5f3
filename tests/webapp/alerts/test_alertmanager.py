"""Alertmanager, Debian's own: causes only, renewed, over; its silences honoured; kills, and a pair."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.services.alertmanager import Alertmanager, run_alertmanagers
from tests.services.receivers import HttpReceiver, http_receiver, silent_listener
from tests.services.support import PATIENCE_S, in_time, wait_until
from tests.webapp.alerts.test_evaluate import Deployment, write_rules
from webapp.alerts.model import AlertKey
from webapp.alerts.rules.rules import parse_alert_settings
from webapp.alerts.sending.alertmanager import labels_of, parse_silences, silences_on
from webapp.alerts.store import FILE_NAME, open_store, read_alerts

KEY = AlertKey("vms_error", "atlas/cern")


class Watched(Deployment):
    """With Alertmanagers, in minutes that end now: they compare times with their own clock."""

    def __init__(
        self, folder: Path, hook: HttpReceiver, managers: list[Alertmanager], more: str = ""
    ) -> None:
        urls = json.dumps([one.url for one in managers])
        file = write_rules(
            folder,
            f'alertmanager_urls = {urls}\nbase_url = "https://monitor.example.org"\n'
            f'[channels]\nhook = "json://{hook.host}/"\n[[rule]]\nname = "poll_failing"\nkeep = "0s"\n',
        )
        super().__init__(folder / "state", file)
        self.now = time.time() // 60 * 60 - 40 * 60
        self.poll()

    def minute(self, error: str = "") -> None:
        self.minutes(1, error)
        thread = self.evaluator._alertmanagers._thread
        assert thread is not None
        thread.join(PATIENCE_S)

    def until_now(self, error: str = "") -> None:
        """Four minutes before: Alertmanager keeps an alert whose end lies ahead of its own clock."""
        while self.now < time.time() - 240:
            self.minute(error)


def shown(manager: Alertmanager) -> list[tuple[str, str]]:
    return [(one["labels"]["alertname"], one["status"]["state"]) for one in manager.alerts()]


@pytest.fixture
def told(tmp_path: Path) -> Any:
    with http_receiver() as receiver:
        yield receiver


def test_causes_are_posted_renewed_and_ended_and_come_back_after_a_kill(
    tmp_path: Path, told: HttpReceiver
) -> None:
    with http_receiver() as own, run_alertmanagers(tmp_path, told.host) as (manager,):
        page = Watched(tmp_path, own, [manager])
        page.until_now("refused")
        (alert,) = manager.alerts()
        assert alert["labels"] == {
            "alertname": "CloudMonitorPollFailing", "rule": "poll_failing", "severity": "critical",
        }  # fmt: skip
        assert alert["generatorURL"].startswith("https://monitor.example.org/alerts/")
        ends_at = datetime.fromisoformat(alert["endsAt"])
        page.minute("refused")
        (alert,) = manager.alerts()
        assert datetime.fromisoformat(alert["endsAt"]) > ends_at, "renewed"
        wait_until(lambda: len(told.got) == 1, "it tells")
        manager.kill()
        manager.start()
        assert shown(manager) == []
        page.minute("refused")
        assert shown(manager) == [("CloudMonitorPollFailing", "active")]
        channels = {one.name: one.failures for one in read_alerts(page.state_dir).channels}
        assert channels[f"alertmanager 127.0.0.1:{manager.port}"] == 0
        page.minute()
        wait_until(lambda: told.got[-1]["status"] == "resolved", "it tells the end")


def test_a_silence_made_there_is_honoured_until_it_is_lifted(tmp_path: Path, told: HttpReceiver) -> None:
    with http_receiver() as own, run_alertmanagers(tmp_path, told.host) as (manager,):
        page = Watched(tmp_path, own, [manager])
        ends_at = datetime.fromtimestamp(time.time() + 3600, UTC).isoformat()
        matcher = {"name": "rule", "value": "poll_.*", "isRegex": True, "isEqual": True}
        silence = manager.silence(ends_at, matcher)
        page.now = time.time() + 60  # Alertmanager has it begin now, whatever it was told
        page.minute()
        with open_store(page.state_dir) as store:
            kept = store.read_foreign_silences()
        assert [(one["by"], one["comment"]) for one in kept] == [("eva", "<b>on it</b>")]
        for _ in range(6):
            page.minute("refused")
        (alert,) = [a for a in read_alerts(page.state_dir).known.alerts.values() if a.state == "firing"]
        assert (alert.told_at, alert.silenced) == (None, "by eva in Alertmanager (<b>on it</b>)")
        assert (own.got, manager.alerts()) == ([], [])
        manager.unsilence(silence)
        page.minute("refused")
        page.minute("refused")
        assert page.told() == [("firing", "poll_failing")]
        with closing(sqlite3.connect(page.state_dir / FILE_NAME)) as connection:
            ((body,),) = connection.execute("SELECT body FROM messages").fetchall()
        assert "The silence by eva in Alertmanager (<b>on it</b>) has ended." in body


def test_a_pair_tells_once_and_one_alone_is_enough(tmp_path: Path, told: HttpReceiver) -> None:
    with http_receiver() as own, run_alertmanagers(tmp_path, told.host, 2) as pair:
        page = Watched(tmp_path, own, pair)
        page.until_now("refused")
        assert [shown(one) for one in pair] == [[("CloudMonitorPollFailing", "active")]] * 2
        wait_until(lambda: told.got, "it is told")
        time.sleep(8)  # the second waits for the first one's word, and tells if there is none
        assert len(told.got) == 1
        pair[0].kill()
        page.minute()
        wait_until(lambda: told.got[-1]["status"] == "resolved", "the other tells the end")
        failing = {one.name: one.failures for one in read_alerts(page.state_dir).channels}
        assert failing[f"alertmanager 127.0.0.1:{pair[0].port}"] == 1
        assert failing[f"alertmanager 127.0.0.1:{pair[1].port}"] == 0


def test_one_that_never_answers_delays_no_evaluation(tmp_path: Path) -> None:
    with silent_listener() as port:
        file = write_rules(tmp_path, f'alertmanager_urls = ["http://127.0.0.1:{port}"]\n')
        page = Deployment(tmp_path / "state", file)
        began = time.monotonic()
        page.minutes(3, "refused")
        assert in_time(time.monotonic() - began, 4)
        wait_until(lambda: any(one.failures for one in read_alerts(page.state_dir).channels), "its failure")


@pytest.mark.parametrize(
    ("matchers", "is_silenced"),
    [
        ([["rule", "vms_error", False, True]], True),
        ([["rule", "vms_error", False, False]], False),
        ([["place", "atlas.*", True, True], ["severity", "warning|critical", True, True]], True),
        ([["place", "atl", True, True]], False),
        ([["absent", "", False, True]], True),
        ([["place", "(a+)+b", True, True]], False),
        ([["place", "(unclosed", True, False]], False),
        ([], True),
    ],
)
def test_matchers_are_those_of_alertmanager(matchers: list[Any], is_silenced: bool) -> None:
    settings = parse_alert_settings({})
    assert labels_of(KEY, settings)["place"] == "atlas / cern"
    kept = [{"starts_at": 0.0, "ends_at": 9.0, "by": "eva", "comment": "", "matchers": matchers}]
    assert bool(list(silences_on(kept, [KEY], settings))) is is_silenced


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'[{"status": {"state": "active"}}]', b"[" * 100_000])
def test_what_are_no_silences_is_refused(body: bytes) -> None:
    if body == b"{}":
        assert parse_silences(body) == []
        return
    with pytest.raises(ValueError):  # noqa: PT011
        parse_silences(body)
