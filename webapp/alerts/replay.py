"""What the rules would have told, from Graphite's past: the poll, the judge and the engine, minute by minute.

Graphite's own absence cannot be seen in it, acknowledgements and silences are left out, windows count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from cloud_monitor.metrics.paths import ROOT, STEP_S
from webapp.alerts.engine import step
from webapp.alerts.model import Known, Samples
from webapp.alerts.observe import observe
from webapp.alerts.rules.rules import AlertSettings
from webapp.alerts.rules.windows import open_windows
from webapp.alerts.sending.message import title_of
from webapp.graphite.series import path_of
from webapp.graphite.steps import Series
from webapp.model.build import GridOrder, build_snapshot
from webapp.model.health import HealthRules
from webapp.model.judge import judge_health
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Value
from webapp.poll.plan import poll_targets
from webapp.poll.retention import carry_forward, group_of
from webapp.poll.times import LOOK_S, find_steps
from webapp.settings import PollSettings

CHUNK_S = 3600  # so much of the past is asked for and held at once
EVALUATED_AFTER_S = 40  # past each minute
HEARTBEATS = f"{ROOT}.*.heartbeat.*"

Ask = Callable[[str, int, int, bool], Iterable[Series]]  # target, from, until, whether gaps are left out


@dataclass(frozen=True, slots=True)
class ReplayedNotice:
    """Something that would have been told, to whom."""

    at: float
    kind: str
    rule: str
    place: str
    title: str
    channels: tuple[str, ...]
    behind: int  # symptoms that waited behind it


def replay(
    views: Iterable[SnapshotView], settings: AlertSettings, rules: HealthRules
) -> Iterator[ReplayedNotice]:
    """Pure but for what `views` does."""
    known = Known()
    samples: Samples = {}
    for view in views:
        now = float(view.as_of)
        health = judge_health(view, rules)
        observed, samples = observe(settings.rules, health, (), known, samples, now)
        windows = open_windows(settings.windows, settings.zone, now)
        result = step(known, settings.rules, observed, windows, now)
        known = result.known
        for notice in result.notices:
            key = notice.alert.key
            title = title_of(notice, settings.rules.get(key.rule))
            yield ReplayedNotice(
                now, notice.kind, key.rule, key.place, title, notice.channels, len(notice.behind)
            )


def past_views(
    ask: Ask, settings: PollSettings, order: GridOrder, from_s: float, until_s: float
) -> Iterator[SnapshotView]:
    """What the page would have shown at each minute of that time."""
    known: dict[str, Value] = {}
    first = int(from_s) // STEP_S * STEP_S
    for start in range(first, int(until_s), CHUNK_S):
        end = min(start + CHUNK_S, int(until_s))
        back_s = CHUNK_S if start == first else STEP_S
        steps = find_steps(ask(HEARTBEATS, end - LOOK_S, end, False), float(end))
        arrivals = _arrivals(ask, start - back_s, end)
        for minute in range(start, end, STEP_S):
            for at in [at for at in arrivals if at <= minute]:
                known.update(arrivals.pop(at))
            now = minute + EVALUATED_AFTER_S
            newest = [one for one in known.values() if (one.timestamp or 0) > now - settings.poll_window_s]
            kept = carry_forward(
                newest, known.values(), now, settings.forget_after_s, settings.forget_grid_after_s
            )
            known = {one.path: one for one in kept}
            snapshot = replace(build_snapshot(float(now), kept, order), steps_s=steps.by_grid)
            outcome = PollOutcome(finished_at=float(now), succeeded_at=float(now))
            yield SnapshotView(snapshot, outcome, now, settings.stale_after_s)


def _arrivals(ask: Ask, from_s: int, until_s: int) -> dict[int, Mapping[str, Value]]:
    """By timestamp, in order: the values of that minute by path."""
    found: dict[int, dict[str, Value]] = {}
    for target in poll_targets():
        for series in ask(target, from_s, until_s, True):
            path = path_of(series.target)
            if group_of(path) is None:
                continue
            for at, value in series.points:
                if value is not None and at <= until_s:
                    found.setdefault(at, {})[path] = Value(path, value, at)
    return dict(sorted(found.items()))
