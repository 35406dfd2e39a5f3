"""The settings of alerts as the file has them now."""

from __future__ import annotations

import logging
from pathlib import Path

from cloud_monitor.settings import SettingsRefused
from cloud_monitor.system.files import stamp_of
from webapp.alerts.rules.rules import AlertSettings, read_alert_settings

log = logging.getLogger(__name__)


class CurrentRules:
    """A file that was changed counts from the next look on; one that is refused then changes nothing."""

    def __init__(self, file: Path | None) -> None:
        """Raises SettingsRefused where the file says what cannot be."""
        self._file = file
        self._settings = read_alert_settings(file)
        self._stamp = stamp_of(file) if file else None

    def read(self) -> AlertSettings:
        try:
            stamp = stamp_of(self._file) if self._file else None
        except OSError as error:  # a folder above it was closed to this user
            if self._stamp is not None:
                log.error("the rules of before stay: %s: %s", self._file, error.strerror)
            self._stamp = stamp = None
        if stamp is not None and stamp != self._stamp:
            self._stamp = stamp
            try:
                self._settings = read_alert_settings(self._file)
            except SettingsRefused as refused:
                log.error("the rules of before stay: %s", refused)
        return self._settings
