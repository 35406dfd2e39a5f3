"""The poll's globs cover every path there can be, and stay few."""

from __future__ import annotations

import re

import pytest

from cloud_monitor.metrics.paths import METRICS, Metric
from webapp.poll.targets import poll_targets


def pattern_of(glob: str) -> re.Pattern[str]:
    """Graphite's globs: * within a segment, {a,b} alternatives."""
    text = re.escape(glob).replace(r"\*", r"[^.]+")
    return re.compile(re.sub(r"\\{([^}]*)\\}", lambda found: f"(?:{found[1].replace(',', '|')})", text))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)
def test_every_metric_is_asked_for_once(metric: Metric) -> None:
    path = re.sub(r"\{(\w+)\}", r"some-\1", metric.template)
    assert [bool(pattern_of(target).fullmatch(path)) for target in poll_targets()].count(True) == 1


def test_the_batch_is_small() -> None:
    assert len(poll_targets()) <= 8
