"""Which columns and thresholds may be set, and what the documentation says of the defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud_monitor.settings import SettingsRefused
from webapp.model.options import DEFAULTS, check_columns, complete_thresholds
from webapp.settings import read_settings


def test_columns_are_checked() -> None:
    assert check_columns(("running", "idle", "manual")) == ("running", "idle", "manual")
    for wrong in ((), ("running", "running"), ("a b",)):
        with pytest.raises(ValueError, match="column"):
            check_columns(wrong)


def test_thresholds_are_checked() -> None:
    assert complete_thresholds({"cpu_pct": (50, 60)})["cpu_pct"] == (50, 60)
    for given_pair in ({"cpu": (1, 2)}, {"cpu_pct": (3, 2)}, {"cpu_pct": (1, float("nan"))}):
        with pytest.raises(ValueError, match="cpu"):
            complete_thresholds(given_pair)
    with pytest.raises(SettingsRefused, match="WEBAPP_THRESHOLDS"):
        read_settings(thresholds={"cpu": (1, 2)})


def test_every_threshold_and_its_default_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs/settings.md").read_text().replace("\n", " ")
    for name, (warn, bad) in DEFAULTS.items():
        assert f"`{name}` {warn:g}, {bad:g}" in text
