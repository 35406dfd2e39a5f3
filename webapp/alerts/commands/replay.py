"""`webapp alerts replay`: asks Graphite for the past and says what would have been told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from webapp.alerts.replay import past_views, replay
from webapp.alerts.rules.rules import AlertSettings
from webapp.graphite.client import fetch, parse_series
from webapp.graphite.steps import Series
from webapp.model.build import GridOrder
from webapp.settings import PollSettings

ANSWER_MAX_BYTES = 256 * 2**20


def replay_past(
    settings: AlertSettings, poll: PollSettings, order: GridOrder, from_s: float
) -> tuple[list[dict[str, Any]], str]:
    """For programs and for people, of the last `from_s` seconds. Raises GraphiteFault."""
    now = time.time()

    def ask(target: str, from_s: int, until_s: int, drop_nulls: bool) -> Iterator[Series]:
        answer = fetch(
            poll.graphite_url, [target], from_s, until_s, timeout_s=poll.poll_timeout_s,
            bytes_max=ANSWER_MAX_BYTES, drop_nulls=drop_nulls,
        )  # fmt: skip
        yield from parse_series(answer.body, poll.graphite_url)

    views = past_views(ask, poll, order, now - from_s, now)
    told = [one for one in replay(views, settings, poll.health_rules) if one.kind != "action"]
    lines = [
        f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(one.at))}  {one.title}"
        + (f", {one.behind} behind it" if one.behind else "")
        + f"  to {', '.join(one.channels) or 'nobody'}"
        for one in told
    ]
    return [asdict(one) for one in told], "\n".join(lines) or "nothing would have been told"
