"""Channels that never answer, drip or refuse: no evaluation comes late, and the others are told."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.services.needs import need
from tests.services.receivers import http_receiver, silent_listener
from tests.services.support import slowdown, wait_until
from tests.webapp.alerts.evaluating import PACE
from webapp.alerts.evaluate import EACH_MINUTE, Pace
from webapp.alerts.store import read_alerts
from webapp.model.snapshot_view import PollOutcome
from webapp.poll.state_files import write_outcome

LATE_S = 5.0
RULES = """
default_channels = ["silent", "mail", "dripping", "refusing", "hook"]
[channels]
silent = "json://127.0.0.1:{silent}"
mail = "mailto://127.0.0.1:{silent}?from=a@example.org&to=b@example.org"
dripping = "json://{dripping}"
refusing = "json://127.0.0.1:1"
hook = "json://{hook}"
[[rule]]
name = "poll_failing"
for = "0s"
repeat = "1m"
"""


@pytest.mark.parametrize(
    ("pace", "for_s"), [(PACE, 20.0), pytest.param(EACH_MINUTE, 600.0, marks=pytest.mark.soak)]
)
def test_evaluation_is_never_late(tmp_path: Path, pace: Pace, for_s: float) -> None:
    need("programs")
    with silent_listener() as silent, http_receiver() as dripping, http_receiver() as hook:
        dripping.drip_s = 30
        file = tmp_path / "alerts.toml"
        file.write_text(RULES.format(silent=silent, dripping=dripping.host, hook=hook.host))
        write_outcome(tmp_path, PollOutcome(finished_at=time.time(), error="refused"))
        arguments = ["-m", "tests.webapp.alerts.evaluating", str(tmp_path), str(file)]
        arguments += ["each-minute"] if pace is EACH_MINUTE else []
        page = subprocess.Popen([sys.executable, *arguments])
        try:
            wait_until(lambda: read_alerts(tmp_path).evaluated_at, "the first evaluation", process=page)
            seen, until = [read_alerts(tmp_path).evaluated_at], time.monotonic() + for_s
            while time.monotonic() < until:
                time.sleep(0.1)
                if (at := read_alerts(tmp_path).evaluated_at) != seen[-1]:
                    seen.append(at)
            longest_s = pace.every_s + LATE_S * slowdown()
            assert len(seen) >= for_s / longest_s
            assert max(b - a for a, b in pairwise(seen)) <= longest_s
            wait_until(lambda: any(one.delivered_at for one in read_alerts(tmp_path).channels), "one is told")
            state = {one.name: bool(one.failures) for one in read_alerts(tmp_path).channels}
            assert state == {"silent": True, "mail": True, "dripping": True, "refusing": True, "hook": False}
        finally:
            page.kill()
            page.wait()
