"""Evaluator and sender as they run: real files, a real SMTP server, a real HTTP receiver, the real child."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.services.receivers import HttpReceiver, http_receiver, mailbox, silent_listener
from tests.services.support import wait_until
from tests.webapp.sample import NOW, sample_values
from webapp.alerts.evaluate import EACH_MINUTE, LOCK_NAME, Evaluator
from webapp.alerts.store import FILE_NAME, open_store, read_alerts, read_history
from webapp.model.build import GridOrder
from webapp.model.health import HealthRules
from webapp.model.options import complete_thresholds
from webapp.model.snapshot_view import PollOutcome
from webapp.poll.current import Latest
from webapp.poll.state_files import Polled, write_outcome, write_polled

GRIDS = ("atlas",)


class Deployment:
    """One process's evaluator over a state folder, with a clock of its own."""

    def __init__(self, state_dir: Path, alerts_file: Path | None) -> None:
        state_dir.mkdir(exist_ok=True)
        self.now = float(NOW)
        self.state_dir, self.alerts_file = state_dir, alerts_file
        self.poll()
        self.evaluator = self.process()

    def process(self) -> Evaluator:
        latest = Latest(self.state_dir, lambda: self.now, GridOrder((), frozenset()), 180)
        rules = HealthRules(complete_thresholds({}))
        return Evaluator(self.state_dir, self.alerts_file, rules, latest, lambda: self.now)

    def poll(self, error: str = "") -> None:
        if not error:
            quiet = [one for one in sample_values(self.now, GRIDS) if ".lost." not in one.path]
            write_polled(self.state_dir, Polled(self.now, quiet))
        write_outcome(self.state_dir, PollOutcome(finished_at=self.now, succeeded_at=self.now, error=error))

    def minutes(self, count: int, error: str | None = "") -> None:
        """So many minutes with a poll in each; none where `error` is None."""
        for _ in range(count):
            self.now += 60
            if error is not None:
                self.poll(error)
            assert self.evaluator.tick()

    def told(self) -> list[tuple[str, str]]:
        """Kind of each message of the outbox, and the rule."""
        entries = read_history(self.state_dir, 1000)
        return [
            (e.what.removeprefix("told: "), e.rule) for e in reversed(entries) if e.what.startswith("told")
        ]


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as server:
        yield server


def write_rules(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "alerts.toml"
    file.write_text(text)
    return file


def test_graphite_that_stops_is_one_message_and_one_over_by_mail_and_http(
    tmp_path: Path, receiver: HttpReceiver
) -> None:
    with mailbox() as box:
        file = write_rules(
            tmp_path,
            'default_channels = ["mail", "hook"]\n[channels]\n'
            f'mail = "mailto://127.0.0.1:{box.port}?from=monitor@example.org&to=ops@example.org&mode=insecure"\n'
            f'hook = "json://{receiver.host}/x"\n[[rule]]\nname = "vms_error"\nenabled = false\n',
        )
        deployment = Deployment(tmp_path / "state", file)
        deployment.minutes(2)
        deployment.minutes(8, "refused")
        wait_until(lambda: len(receiver.got) == 1 and len(box.got) == 1, "both are told")
        deployment.minutes(10)
        wait_until(lambda: len(receiver.got) == 2 and len(box.got) == 2, "both are told that it is over")
    assert deployment.told() == [("firing", "poll_failing"), ("resolved", "poll_failing")]
    assert "poll fails: refused" in receiver.got[0]["title"]
    assert receiver.got[1]["title"].startswith("[OVER CRITICAL]")
    assert "id: " in receiver.got[0]["message"]
    assert "[CRITICAL]" in box.got[0]


def test_a_channel_that_fails_thrice_is_told_on_the_others_until_it_is_named_no_more(
    tmp_path: Path, receiver: HttpReceiver
) -> None:
    hook = f'hook = "json://{receiver.host}/x"\n'
    file = write_rules(tmp_path, f'[channels]\nmail = "mailto://127.0.0.1:1?from=a@b.c&to=d@e.f"\n{hook}')
    deployment = Deployment(tmp_path / "state", file)
    deployment.minutes(2)
    for count in range(3):
        assert deployment.told() == []
        with open_store(deployment.state_dir) as store:
            store.outbox.note_channel("mail", "it refuses", deployment.now + count)
        deployment.minutes(1)
    deployment.minutes(1)
    assert deployment.told() == [("firing", "channel_failing")]
    wait_until(lambda: receiver.got, "the other is told")
    assert "channel mail has failed 3 times" in receiver.got[0]["title"]
    # what is received is noted as sent a moment later
    wait_until(lambda: read_alerts(deployment.state_dir).waiting == 0, "nothing of it by the one that fails")
    write_rules(tmp_path, f"[channels]\n{hook}")
    deployment.minutes(8)
    assert deployment.told()[1:] == [("resolved", "channel_failing")]
    assert [one.name for one in read_alerts(deployment.state_dir).channels] == ["hook"]


def test_without_any_file_all_is_evaluated_and_nothing_sent(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path / "state", None)
    deployment.minutes(6, "refused")
    state = read_alerts(deployment.state_dir)
    assert [(one.key.rule, one.state) for one in state.known.alerts.values()] == [("poll_failing", "firing")]
    assert (state.waiting, state.evaluated_at) == (0, deployment.now)


def test_of_many_processes_one_evaluates_a_minute(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path / "state", None)
    processes = [deployment.process() for _ in range(8)]
    for _ in range(3):
        deployment.now += 60
        deployment.poll()
        with ThreadPoolExecutor(len(processes)) as threads:
            assert sum(threads.map(Evaluator.tick, processes)) == 1
        assert not any(one.tick() for one in processes)


@pytest.mark.parametrize(
    ("evaluated_at", "now", "due"),
    [(0.0, 1000.0, True), (NOW + 41.0, NOW + 99.0, False), (NOW + 41.0, NOW + 100.0, True),
     (NOW + 3600.0, NOW + 0.0, True)],
)  # fmt: skip
def test_a_minute_is_due_once_also_when_the_clock_was_set_back(
    evaluated_at: float, now: float, due: bool
) -> None:
    assert EACH_MINUTE.is_due(evaluated_at, now) is due


def test_a_broken_file_is_set_aside_and_what_holds_is_told_again(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path / "state", None)
    deployment.minutes(6, "refused")
    (deployment.state_dir / FILE_NAME).write_bytes(b"no database" * 1000)
    deployment.minutes(6, "refused")
    assert ("firing", "poll_failing") in deployment.told()
    assert list(deployment.state_dir.glob(f"{FILE_NAME}.corrupt-*"))


def test_a_state_that_cannot_be_written_is_sent_from_memory_once(
    tmp_path: Path, receiver: HttpReceiver
) -> None:
    file = write_rules(tmp_path, f'[channels]\nhook = "json://{receiver.host}"\n')
    deployment = Deployment(tmp_path / "state", file)
    deployment.minutes(1)
    with sqlite3.connect(deployment.state_dir / FILE_NAME) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    blocked = deployment.state_dir / FILE_NAME
    kept = blocked.rename(tmp_path / "kept")
    blocked.mkdir()  # no user can open it, root neither
    deployment.minutes(8, "refused")
    wait_until(lambda: len(receiver.got) == 1, "the message from memory")
    assert "Sent from memory" in receiver.got[0]["message"]
    other = deployment.process()
    assert not other.tick(), "the lock is kept, so that no other process tells it again"
    blocked.rmdir()
    kept.rename(blocked)
    deployment.minutes(3, "refused")
    assert len(receiver.got) == 1
    assert pages > 0
    (alert,) = [a for a in read_alerts(deployment.state_dir).known.alerts.values() if a.state == "firing"]
    assert alert.told == ("hook",)
    assert not os.path.isdir(deployment.state_dir / LOCK_NAME)


def test_a_channel_that_is_silent_delays_neither_the_others_nor_the_evaluation(
    tmp_path: Path, receiver: HttpReceiver
) -> None:
    with silent_listener() as port:
        file = write_rules(
            tmp_path,
            'default_channels = ["dead", "hook"]\n[channels]\n'
            f'dead = "json://127.0.0.1:{port}"\nhook = "json://{receiver.host}"\n',
        )
        deployment = Deployment(tmp_path / "state", file)
        deployment.minutes(6, "refused")
        wait_until(lambda: len(receiver.got) == 1, "the channel that works")
        wait_until(
            lambda: any(one.failures for one in read_alerts(deployment.state_dir).channels), "the failure"
        )
    dead = {one.name: one for one in read_alerts(deployment.state_dir).channels}["dead"]
    assert dead.failures == 1
    assert json.dumps(dead.error).find(str(port)) < 0 or "json://" not in dead.error


def test_a_channel_that_fails_three_times_is_told_on_the_others(
    tmp_path: Path, receiver: HttpReceiver
) -> None:
    file = write_rules(
        tmp_path,
        'default_channels = ["dead", "hook"]\n[channels]\n'
        f'dead = "json://127.0.0.1:1"\nhook = "json://{receiver.host}"\n',
    )
    deployment = Deployment(tmp_path / "state", file)
    deployment.minutes(1)
    with open_store(deployment.state_dir) as store:
        for _ in range(3):
            store.outbox.note_failed(0, "dead", "refused", deployment.now, deployment.now)
    deployment.minutes(1)
    wait_until(lambda: len(receiver.got) == 1, "the others are told")
    assert "channel dead has failed" in receiver.got[0]["title"]
    with sqlite3.connect(deployment.state_dir / FILE_NAME) as connection:
        assert connection.execute("SELECT channel FROM messages").fetchall() == [("hook",)]


def test_a_changed_file_counts_from_the_next_minute_and_a_refused_one_changes_nothing(tmp_path: Path) -> None:
    file = write_rules(tmp_path, "")
    deployment = Deployment(tmp_path / "state", file)
    deployment.minutes(1)
    file.write_text("nonsense = 1\n")
    deployment.minutes(6, "refused")
    assert deployment.told() == [("firing", "poll_failing")]
