"""Causes with their symptoms, who takes care of which, and all that silences at one moment (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from webapp.alerts.model import Alert, AlertKey, Silence
from webapp.alerts.rules.rules import AlertRule, AlertSettings
from webapp.alerts.rules.windows import open_windows
from webapp.alerts.sending.alertmanager import silences_on
from webapp.alerts.store import AlertsState
from webapp.model.snapshot_view import AlertCount

CauseState = Literal["firing", "pending", "acknowledged", "silenced"]
SEVERITIES = ("critical", "warning", "info")  # the worst first


@dataclass(frozen=True, slots=True)
class Cause:
    """An alert that nothing known explains, and all that it explains, directly or not."""

    alert: Alert
    state: CauseState
    severity: str
    symptoms: tuple[Alert, ...] = ()


def severity_of(alert: Alert, rules: Mapping[str, AlertRule]) -> str:
    rule = rules.get(alert.key.rule)
    return "info" if rule is None else rule.severity


def state_of(alert: Alert, silences: Iterable[Silence], now: float) -> CauseState:
    """Silences are those of people and the windows that are open now."""
    if alert.is_acknowledged(now):
        return "acknowledged"
    if any(silence.covers(alert.key, now) for silence in silences):
        return "silenced"
    return alert.state


def silences_of(state: AlertsState, settings: AlertSettings, now: float) -> tuple[Silence, ...]:
    """Of people here, of windows, and of people in Alertmanager: those stand for the alerts they match, which
    are known.
    """
    windows = open_windows(settings.windows, settings.zone, now)
    foreign = state.foreign_silences if settings.alertmanager_urls else ()
    theirs = silences_on(foreign, state.known.alerts, settings)
    return (*state.silences, *windows, *theirs)


def find_causes(
    alerts: Mapping[AlertKey, Alert],
    rules: Mapping[str, AlertRule],
    silences: Sequence[Silence],
    now: float,
) -> tuple[Cause, ...]:
    """Every alert once, the worst and then the oldest first."""
    symptoms: dict[AlertKey, list[Alert]] = {}
    causes = []
    for alert in alerts.values():
        root = _root_of(alert, alerts)
        if root is alert:
            causes.append(alert)
        else:
            symptoms.setdefault(root.key, []).append(alert)
    found = [
        Cause(
            alert,
            state_of(alert, silences, now),
            severity_of(alert, rules),
            tuple(sorted(symptoms.get(alert.key, ()), key=lambda one: (one.since, one.key))),
        )
        for alert in causes
    ]
    return tuple(
        sorted(found, key=lambda one: (SEVERITIES.index(one.severity), one.alert.since, one.alert.key))
    )


def count_firing(causes: Iterable[Cause]) -> AlertCount:
    """Of causes that nobody takes care of."""
    firing = [cause for cause in causes if cause.state == "firing"]
    worst = min((cause.severity for cause in firing), key=SEVERITIES.index, default="")
    return AlertCount(len(firing), worst)


def _root_of(alert: Alert, alerts: Mapping[AlertKey, Alert]) -> Alert:
    """What explains it in the end; itself where its cause is not known (any more)."""
    seen = {alert.key}
    while alert.cause is not None and alert.cause in alerts and alert.cause not in seen:
        seen.add(alert.cause)
        alert = alerts[alert.cause]
    return alert
