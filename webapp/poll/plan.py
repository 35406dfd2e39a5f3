"""What a poll asks for, few globs that together cover every path of the catalog; when it comes, and
what the log is told of it. Pure."""

from __future__ import annotations

import re
from functools import cache

from cloud_monitor.metrics.paths import METRICS
from webapp.model.snapshot_view import PollOutcome

_SOON_S = 3.0  # a newcomer should see the first points within seconds
_SOON_MAX = 60  # but a Graphite that stays empty or away is not asked so often for ever
_BACK_OFF_MAX = 5  # steps
_TOLD_AGAIN_AFTER = 60  # failed polls, about an hour


@cache
def poll_targets() -> tuple[str, ...]:
    """One glob for every first name and depth in the catalog.

    Where the paths of one depth differ in a literal, the glob lists the literals; where one of them has a
    name there, it takes any. It so covers more than the catalog, and what is not in it is left out later.
    """
    groups: dict[tuple[str, int], list[list[str]]] = {}
    for metric in METRICS:
        segments = metric.template.split(".")
        groups.setdefault((segments[0], len(segments)), []).append(segments)
    return tuple(
        ".".join(_glob({segments[at] for segments in group}) for at in range(depth))
        for (_, depth), group in sorted(groups.items())
    )


def _glob(alternatives: set[str]) -> str:
    if any("{" in segment for segment in alternatives):
        return "*"
    return alternatives.pop() if len(alternatives) == 1 else f"{{{','.join(sorted(alternatives))}}}"


def next_attempt(outcome: PollOutcome, now: float, every_s: float, after_s: float) -> float:
    """Epoch second of the next poll: `after_s` past a step, at once if none was ever made.

    Before the first data it comes every few seconds, a bounded number of times.
    """
    attempted = outcome.attempted_at
    if not attempted or attempted > now + every_s:  # never, or the clock was set back since
        return now
    tries = outcome.failures + outcome.empty_polls
    has_data = outcome.succeeded_at > 0 and not outcome.empty_polls
    if not has_data and 0 < tries <= _SOON_MAX:
        return attempted + min(_SOON_S, every_s)
    slot = (attempted - after_s) // every_s * every_s + after_s
    return slot + every_s


def is_whole_due(outcome: PollOutcome, now: float, every_s: float) -> bool:
    """Whether everything is to be asked for, once a store whose polls fail has given a small answer.

    At once where small answers failed too: it is back. Where it gives small ones and fails over all, which an
    overloaded one does, steps are left out: 1, 2, 4, then 5 steps from one to the next.
    """
    if not outcome.whole_failures:
        return True
    steps = min(1 << min(outcome.whole_failures, 10) - 1, _BACK_OFF_MAX)
    return not 0 <= now - outcome.whole_attempted_at < (steps - 0.5) * every_s


def log_text(before: PollOutcome, after: PollOutcome, is_first: bool) -> str:
    """What the log is told at a poll's end: of a failure when it begins or is another one, once an hour, at
    the first poll of a process, and when it is over; "" for nothing.
    """
    if after.failures == 0:
        return f"polls succeed again, after {before.failures} that failed" if before.failures else ""
    if is_first or before.failures == 0 or _without_numbers(before.error) != _without_numbers(after.error):
        return f"poll failed: {after.error}"
    if after.failures % _TOLD_AGAIN_AFTER == 0:
        return f"poll still fails ({after.failures} in a row): {after.error}"
    return ""


def _without_numbers(text: str) -> str:
    return re.sub(r"\d+", "#", text)
