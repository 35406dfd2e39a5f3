"""Evaluator and sender killed at any moment, over a channel that refuses a quarter: nothing is lost."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from bench.pss import read_children
from tests.services.needs import need
from tests.services.receivers import HttpReceiver, http_receiver
from tests.services.support import wait_until
from tests.webapp.alerts.evaluating import PACE
from webapp.alerts.store import read_alerts
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Value
from webapp.poll.state_files import Polled, write_outcome, write_polled

CLOUDS = 6
RULES = """
[channels]
hook = "json://{host}/"
[[rule]]
name = "off"
figure = "grids.{{grid}}.clouds.{{cloud}}.enabled"
below = 1
keep = "0s"
text = "is off"
"""


class Killed:
    """The page's process with its sender; each change of the world is seen by one evaluation or more."""

    def __init__(self, folder: Path, receiver: HttpReceiver, dice: random.Random) -> None:
        self.state_dir, self.file = folder / "state", folder / "alerts.toml"
        self.state_dir.mkdir()
        self.file.write_text(RULES.format(host=receiver.host))
        self.receiver, self.dice = receiver, dice
        self.off: frozenset[int] = frozenset()
        self.expected: Counter[tuple[str, str]] = Counter()  # cloud, begun or over -> how often
        self.kills = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        need("programs")
        command = [
            sys.executable,
            "-m",
            "tests.webapp.alerts.evaluating",
            str(self.state_dir),
            str(self.file),
        ]
        self.process = subprocess.Popen(command)

    def change(self, off: frozenset[int]) -> float:
        """Clouds that are off from now on; when that was written."""
        for cloud in range(CLOUDS):
            if (cloud in off) != (cloud in self.off):
                self.expected[f"c{cloud}", "begun" if cloud in off else "over"] += 1
        self.off = off
        now = time.time()
        values = [
            Value(f"grids.atlas.clouds.c{cloud}.enabled", float(cloud not in off), int(now))
            for cloud in range(CLOUDS)
        ]
        write_polled(self.state_dir, Polled(now, values))
        write_outcome(self.state_dir, PollOutcome(finished_at=now, succeeded_at=now))
        return now

    def is_evaluated(self, since: float) -> bool:
        return read_alerts(self.state_dir).evaluated_at > since + PACE.every_s

    def kill_at_random(self) -> None:
        """The page's process, its sender, or both."""
        assert self.process is not None
        senders, which = read_children(self.process.pid), self.dice.choice(("page", "sender", "both"))
        if which != "page" and senders:
            for sender in senders:
                subprocess.run(["kill", "-9", str(sender)], check=False, stderr=subprocess.DEVNULL)
            self.kills += 1
        if which != "sender" or not senders:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.kills += 1
            self.start()

    def run(self, kills: int) -> None:
        self.start()
        while self.kills < kills:
            changed = self.change(frozenset(one for one in range(CLOUDS) if self.dice.random() < 0.5))
            until = time.monotonic() + 180
            while not self.is_evaluated(changed):
                assert time.monotonic() < until, "never evaluated"
                time.sleep(self.dice.uniform(0.0, 1.5))
                if self.kills < kills and self.dice.random() < 0.6:
                    self.kill_at_random()
        changed = self.change(frozenset())
        wait_until(lambda: self.is_evaluated(changed), "the last evaluation", process=self.process)
        wait_until(lambda: read_alerts(self.state_dir).waiting == 0, "everything is sent", 600, self.process)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.soak)])
def test_nothing_is_lost_by_kills_and_what_comes_twice_has_the_same_id(tmp_path: Path, kills: int) -> None:
    seed = random.randrange(10**6)
    dice = random.Random(seed)
    with http_receiver() as receiver:
        receiver.refuse = lambda: dice.random() < 0.25
        page = Killed(tmp_path, receiver, dice)
        try:
            page.run(kills)
        finally:
            page.stop()
    told: dict[str, tuple[str, str]] = {}
    for message in receiver.got:
        id = re.search(r"^id: (\S+)$", message["message"], re.MULTILINE)
        place = re.search(r"atlas / (c\d)", message["title"])
        assert id
        assert place
        what = (place[1], "over" if message["title"].startswith("[OVER") else "begun")
        assert told.setdefault(id[1], what) == what, f"one id for two messages, seed {seed}"
    print(f"{page.kills} kills, {len(told)} messages, {len(receiver.got) - len(told)} twice, seed {seed}")
    assert Counter(told.values()) == page.expected, f"seed {seed}"
