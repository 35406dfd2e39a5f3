"""What the request at hand may use: the parts that create_app built, each under its own type."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flask import Flask, current_app

from webapp.alerts.rules.current import CurrentRules
from webapp.alerts.rules.rules import AlertSettings
from webapp.graphite.gate import GraphiteGate
from webapp.metrics.counters import SharedCounters
from webapp.settings import Settings

_SETTINGS = "cloud_monitor.settings"
_GATE = "cloud_monitor.graphite_gate"
_CLOCK = "cloud_monitor.clock"
_COUNTERS = "cloud_monitor.counters"
_RULES = "cloud_monitor.alert_rules"


def keep_parts(
    app: Flask, settings: Settings, clock: Callable[[], float], gate: GraphiteGate, counters: SharedCounters
) -> None:
    """Raises SettingsRefused where the file of alerts says what cannot be."""
    app.extensions[_SETTINGS] = settings
    app.extensions[_CLOCK] = clock
    app.extensions[_GATE] = gate
    app.extensions[_COUNTERS] = counters
    app.extensions[_RULES] = CurrentRules(settings.alerts_file)


def current_settings() -> Settings:
    return cast(Settings, current_app.extensions[_SETTINGS])


def current_time() -> float:
    """What the app's clock shows, epoch seconds."""
    return cast(Callable[[], float], current_app.extensions[_CLOCK])()


def current_gate() -> GraphiteGate:
    return cast(GraphiteGate, current_app.extensions[_GATE])


def current_counters() -> SharedCounters:
    return cast(SharedCounters, current_app.extensions[_COUNTERS])


def current_alert_settings() -> AlertSettings:
    """Rules, channels and windows of alerts as their file has them now."""
    return cast(CurrentRules, current_app.extensions[_RULES]).read()
