"""When the deployment polls next, from what the last poll came to. Pure; every process reckons the same."""

from __future__ import annotations

from webapp.poll.outcome import Outcome

_SOON_S = 3.0  # a newcomer should see the first points within seconds
_SOON_MAX = 60  # but a Graphite that stays empty or away is not asked so often for ever
_BACK_OFF_MAX = 5  # steps


def next_attempt(outcome: Outcome, now: float, every_s: float, after_s: float) -> float:
    """Epoch second of the next poll: `after_s` past a step, at once if none was ever made.

    Before the first data it comes every few seconds, a bounded number of times. After failures steps are
    left out: 1, 2, 4, then 5 steps from one attempt to the next.
    """
    attempted = outcome.attempted_at
    if not attempted or attempted > now + every_s:  # never, or the clock was set back since
        return now
    tries = outcome.failures + outcome.empty_polls
    has_data = outcome.succeeded_at > 0 and not outcome.empty_polls
    if not has_data and 0 < tries <= _SOON_MAX:
        return attempted + min(_SOON_S, every_s)
    steps = min(1 << max(0, min(outcome.failures, 10) - 1), _BACK_OFF_MAX)
    slot = (attempted - after_s) // every_s * every_s + after_s
    return slot + steps * every_s
