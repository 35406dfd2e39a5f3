"""Alerts under Apache with five processes of five threads: one evaluation a minute, each message once."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from tests.services.apache import open_folder, run_apache
from tests.services.receivers import http_receiver
from tests.services.support import wait_until
from webapp.alerts.store import read_alerts

RULES = """
[channels]
hook = "json://{hook}/"
[[rule]]
name = "poll_failing"
for = "1m"
"""
LATE_S = 5.0


def count_evaluations(state_dir: Path, for_s: float, restart: bool, apache_pids: object) -> list[float]:
    """When each was, while processes are killed at any moment where `restart` is set."""
    dice = random.Random()
    seen, until, kill_at = [read_alerts(state_dir).evaluated_at], time.monotonic() + for_s, time.monotonic()
    while time.monotonic() < until:
        time.sleep(0.1)
        if (at := read_alerts(state_dir).evaluated_at) != seen[-1]:
            seen.append(at)
        if restart and time.monotonic() >= kill_at:
            kill_at = time.monotonic() + dice.uniform(1, 20)
            for pid in apache_pids():  # type: ignore[operator]
                os.kill(pid, dice.choice((signal.SIGKILL, signal.SIGTERM)))
    return seen[1:]


@pytest.mark.soak
@pytest.mark.parametrize("restart", [False, True])
def test_one_evaluation_a_minute_and_one_message(restart: bool) -> None:
    with http_receiver() as hook, open_folder() as folder:
        file = folder / "alerts.toml"
        file.write_text(RULES.format(hook=hook.host))
        file.chmod(0o644)
        variables = {"WEBAPP_GRAPHITE_URL": "http://127.0.0.1:1", "WEBAPP_ALERTS_FILE": str(file)}
        with run_apache(folder, variables) as apache:
            state_dir = apache.root / "state"
            wait_until(lambda: read_alerts(state_dir).evaluated_at, "the first evaluation")
            evaluated = count_evaluations(state_dir, 600, restart, apache.daemons)
            wait_until(lambda: read_alerts(state_dir).waiting == 0, "all is sent", 300)
    minutes = Counter(int((at - 40) // 60) for at in evaluated)
    assert max(minutes.values()) == 1
    assert len(minutes) in (10, 11) if not restart else len(minutes) >= 9
    if not restart:
        assert max(b - a for a, b in pairwise(evaluated)) <= 60 + LATE_S
    ids = [re.search(r"^id: (\S+)$", one["message"], re.MULTILINE) for one in hook.got]
    assert len({found[1] for found in ids if found}) == 1
    if not restart:
        assert len(ids) == 1
