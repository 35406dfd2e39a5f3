"""What rules would have told, from a real Graphite's past."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collector.delivery.carbon import Timeouts, send_frames
from collector.delivery.destinations import Address
from collector.delivery.frames import encode_frame, split_points
from collector.model import Point
from tests.services.graphite import Graphite
from tests.services.support import wait_until
from webapp.alerts.replay import past_views, replay
from webapp.alerts.rules.rules import parse_alert_settings
from webapp.graphite.steps import Series, SeriesPoint
from webapp.model.build import GridOrder
from webapp.model.health import HealthRules
from webapp.model.options import complete_thresholds
from webapp.settings import PollSettings

MINUTES = 150


def past_points(grid: str, now: int) -> list[Point]:
    """The scheduler does not answer from 100 to 80 minutes ago, the collector sends nothing from 50 to 30."""
    points = []
    for minute in range(MINUTES, 0, -1):
        at = now // 60 * 60 - 60 * minute
        if 30 <= minute < 50:
            continue
        answers = float(not 80 <= minute < 100)
        points += [
            Point(f"grids.{grid}.heartbeat.cloud_monitor", at, 1.0),
            Point(f"grids.{grid}.heartbeat.cloud_scheduler", at, answers),
        ]
        if answers:
            points.append(Point(f"grids.{grid}.clouds.cern.vms.small.total", at, 3.0))
    return points


def told_of(rows: list[dict[str, object]], grid: str) -> list[tuple[object, object]]:
    return [(one["kind"], one["rule"]) for one in rows if str(one["place"]).split("/")[0] == grid]


EXPECTED = [
    ("firing", "heartbeat_lost"), ("resolved", "heartbeat_lost"),
    ("firing", "grid_silent"), ("resolved", "grid_silent"),
]  # fmt: skip


def test_rules_are_replayed_over_graphites_past(tmp_path: Path, graphite: Graphite) -> None:
    grid, now = f"replayed{os.getpid()}", int(time.time())
    points = past_points(grid, now)
    host, _, port = graphite.carbon.partition(":")
    frames = (encode_frame(chunk) for chunk in split_points(points))
    send_frames(Address(host, int(port)), frames, Timeouts(5, 30))
    newest = f"grids.{grid}.heartbeat.cloud_monitor"
    wait_until(lambda: graphite.render(newest, since="-5min"), "the points in Graphite")
    hidden = ["cloud_monitor"]
    environment = {
        **os.environ, "WEBAPP_GRAPHITE_URL": graphite.url, "WEBAPP_STATE_DIR": str(tmp_path),
        "WEBAPP_HIDDEN_GRIDS": json.dumps(hidden),
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-m", "webapp", "alerts", "replay", "--from", "-3h", "--json"],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    rows = json.loads(ended.stdout)
    assert told_of(rows, grid) == EXPECTED
    begun = next(one for one in rows if one["rule"] == "grid_silent" and one["place"] == grid)
    assert now - begun["at"] == pytest.approx(45 * 60, abs=150)
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_the_past_is_gone_through_by_the_hour_as_at_once() -> None:
    now = 1_760_000_000
    by_path: dict[str, list[SeriesPoint]] = {}
    for point in past_points("atlas", now):
        by_path.setdefault(point.path, []).append(SeriesPoint(point.timestamp, point.value))

    def ask(target: str, from_s: int, until_s: int, drop_nulls: bool) -> list[Series]:
        names = target.split(".")
        found = [
            Series(path, [one for one in points if from_s < one.timestamp <= until_s])
            for path, points in by_path.items()
            if len(path.split(".")) == len(names) and path.split(".")[2] in names[2]
        ]
        if drop_nulls:
            return found
        return [
            Series(one.target, [SeriesPoint(at, 1.0) for at in range(from_s, until_s, 60)]) for one in found
        ]

    views = past_views(ask, PollSettings(), GridOrder(), now - 3 * 3600, now)
    told = list(replay(views, parse_alert_settings({}), HealthRules(complete_thresholds({}))))
    assert [(one.kind, one.rule) for one in told] == EXPECTED
    assert told[0].behind == 1
