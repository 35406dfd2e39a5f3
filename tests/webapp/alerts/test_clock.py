"""A clock that is set back, and who watches the watcher."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.services.receivers import http_receiver
from tests.services.support import wait_until
from tests.webapp.alerts.test_evaluate import Deployment, write_rules
from webapp.alerts.rules.rules import parse_alert_settings
from webapp.alerts.sending.outbox import OutMessage
from webapp.alerts.sending.sender import start_sender
from webapp.alerts.store import FILE_NAME, open_store, read_alerts


def test_a_clock_set_back_an_hour_tells_nothing_twice_and_evaluates_on(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path / "state", None)
    deployment.minutes(8, "refused")
    told = deployment.told()
    assert told == [("firing", "poll_failing")]
    deployment.now -= 3600
    deployment.minutes(20, "refused")
    assert deployment.told() == told
    deployment.minutes(8)
    assert deployment.told() == [*told, ("resolved", "poll_failing")]


@pytest.mark.parametrize(("ahead_s", "is_sent"), [(600.0, False), (3600.0, True)])
def test_what_was_queued_before_the_clock_was_set_back_does_not_wait_for_it(
    tmp_path: Path, ahead_s: float, is_sent: bool
) -> None:
    """One that waits for its next try does."""
    with http_receiver() as hook:
        settings = parse_alert_settings({"channels": {"hook": f"json://{hook.host}/"}})
        with open_store(tmp_path) as store:
            message = OutMessage("a-1", "firing", "hook", "a", "title", "text")
            store.outbox.queue([message], time.time() + ahead_s)
            assert store.outbox.count_waiting(time.time()) == is_sent
        assert start_sender(tmp_path, settings).wait(60) == 0
        assert len(hook.got) == is_sent


def test_the_heartbeat_is_asked_after_each_evaluation_that_was_written_down(tmp_path: Path) -> None:
    with http_receiver() as watchdog:
        file = write_rules(tmp_path, f'heartbeat_url = "http://{watchdog.host}/ping/1"\n')
        deployment = Deployment(tmp_path / "state", file)
        for minute in (1, 2):
            deployment.minutes(1)
            wait_until(lambda minute=minute: len(watchdog.paths) == minute, "it is asked")
            assert read_alerts(deployment.state_dir).evaluated_at == deployment.now
        assert set(watchdog.paths) == {"/ping/1"}
        (deployment.state_dir / FILE_NAME).unlink()
        for more in ("-wal", "-shm"):
            (deployment.state_dir / (FILE_NAME + more)).unlink(missing_ok=True)
        (deployment.state_dir / FILE_NAME).mkdir()  # no user can open it, root neither
        deployment.minutes(2)
        time.sleep(1)
        assert len(watchdog.paths) == 2
