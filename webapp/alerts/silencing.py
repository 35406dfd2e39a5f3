"""All that silences at one moment: people here, windows, and people in Alertmanager."""

from __future__ import annotations

from webapp.alerts.alertmanager import silences_on
from webapp.alerts.model import Silence
from webapp.alerts.rules import AlertSettings
from webapp.alerts.store import AlertsState
from webapp.alerts.windows import open_windows


def silences_of(state: AlertsState, settings: AlertSettings, now: float) -> tuple[Silence, ...]:
    """Those made in Alertmanager stand for the alerts they match, which are known."""
    windows = open_windows(settings.windows, settings.zone, now)
    foreign = state.foreign_silences if settings.alertmanager_urls else ()
    theirs = silences_on(foreign, state.known.alerts, settings)
    return (*state.silences, *windows, *theirs)
