"""When the store is polled, and for how much. Pure."""

from __future__ import annotations

from webapp.model.snapshot_view import PollOutcome

_SOON_S = 3.0  # a newcomer should see the first points within seconds
_SOON_MAX = 60  # but a Graphite that stays empty or away is not asked so often for ever
_BACK_OFF_MAX = 5  # steps


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
