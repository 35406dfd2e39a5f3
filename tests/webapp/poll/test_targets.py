"""The poll's globs cover every path there can be, and stay few."""

from __future__ import annotations

import re

from cloud_monitor.metrics.paths import METRICS
from webapp.poll.plan import poll_targets


def pattern_of(glob: str) -> re.Pattern[str]:
    """Graphite's globs: * within a segment, {a,b} alternatives."""
    text = re.escape(glob).replace(r"\*", r"[^.]+")
    return re.compile(re.sub(r"\\{([^}]*)\\}", lambda found: f"(?:{found[1].replace(',', '|')})", text))


def test_every_metric_is_asked_for_once() -> None:
    patterns = [pattern_of(target) for target in poll_targets()]
    paths = (re.sub(r"\{(\w+)\}", r"some-\1", metric.template) for metric in METRICS)
    asked = {path: sum(bool(pattern.fullmatch(path)) for pattern in patterns) for path in paths}
    assert len(asked) > 100
    assert {path: times for path, times in asked.items() if times != 1} == {}


def test_the_batch_is_small() -> None:
    assert len(poll_targets()) <= 8
