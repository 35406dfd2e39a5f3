"""Which rules on figures hold, and where."""

from __future__ import annotations

from typing import Any

import pytest

from cloud_monitor.settings import SettingsRefused
from webapp.alerts.model import AlertKey
from webapp.alerts.rules.figures import FiguresSeen, judge_figures
from webapp.alerts.rules.rules import parse_alert_settings, read_alert_settings
from webapp.model.build import GridOrder, build_snapshot
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Value

NOW = 1_760_000_040


def seen(
    rule: dict[str, Any],
    figures: dict[str, float],
    age_s: int = 0,
    before: FiguresSeen | None = None,
    at: int = NOW,
    open_keys: frozenset[AlertKey] = frozenset(),
) -> FiguresSeen:
    rules = parse_alert_settings({"rule": [{"name": "mine", **rule}]}).rules
    values = [Value(path, value, at - age_s) for path, value in figures.items()]
    view = SnapshotView(build_snapshot(float(at), values, GridOrder((), frozenset())), PollOutcome(), at, 180)
    return judge_figures([rules["mine"]], view, open_keys, before.samples if before else {}, float(at))


def test_names_become_the_place_and_stars_are_summed() -> None:
    rule = {
        "figure": "grids.{grid}.clouds.{cloud}.vms.*.error", "above": 10, "clear": 5,
        "text": "{value} VMs in error on {cloud}",
    }  # fmt: skip
    figures = {
        "grids.atlas.clouds.cern.vms.small.error": 6, "grids.atlas.clouds.cern.vms.large.error": 5,
        "grids.atlas.clouds.uvic.vms.small.error": 10, "grids.atlas.clouds.cern.vms.small.total": 99,
    }  # fmt: skip
    result = seen(rule, figures)
    assert [(one.key, one.text) for one in result.found] == [
        (AlertKey("mine", "atlas/cern"), "11 VMs in error on cern")
    ]
    uvic = frozenset({AlertKey("mine", "atlas/uvic")})
    assert {one.key.place for one in seen(rule, figures, open_keys=uvic).found} == {
        "atlas/cern",
        "atlas/uvic",
    }


def test_an_old_figure_is_unknown() -> None:
    result = seen(
        {"figure": "grids.{grid}.fleet.chunks.active", "above": 3}, {"grids.a.fleet.chunks.active": 9}, 999
    )
    assert (result.found, result.unknown) == ((), frozenset({AlertKey("mine", "a")}))


def test_a_share_counts_only_of_enough() -> None:
    rule = {
        "figure": "grids.{grid}.jobs.all.held",
        "of": "grids.{grid}.jobs.all.total",
        "above": "30 %",
        "at_least": 20,
    }
    few = {"grids.a.jobs.all.held": 3, "grids.a.jobs.all.total": 5}
    many = {"grids.b.jobs.all.held": 8, "grids.b.jobs.all.total": 20}
    assert [(one.key.place, one.value) for one in seen(rule, few | many).found] == [("b", 40.0)]


def test_an_increase_does_not_count_what_went_down() -> None:
    rule = {"figure": "grids.{grid}.fleet.chunks.failed", "increase": "10m", "above": 5}
    before = None
    found = []
    for minute, failed in enumerate(
        [0, 4, 1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3]
    ):  # up by 4, and by 2 after a retry
        before = seen(rule, {"grids.a.fleet.chunks.failed": failed}, before=before, at=NOW + 60 * minute)
        found.append([one.value for one in before.found])
    assert found[3] == []
    assert found[4:11] == [[6.0]] * 7
    assert found[11] == []


def test_a_fleet_that_stands_still_is_not_one_that_is_paused() -> None:
    rules = read_alert_settings(None).rules
    base = {"figure": rules["fleet_stalled"].figure, "minus": rules["fleet_stalled"].minus, "above": 0,
            "while_zero": rules["fleet_stalled"].while_zero}  # fmt: skip
    paths = [f"grids.a.fleet.chunks.{status}" for status in ("pending", "paused", "active")]
    for figures, holds in (((5, 0, 0), True), ((5, 5, 0), False), ((5, 0, 1), False)):
        assert bool(seen(base, dict(zip(paths, figures, strict=True))).found) is holds


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rule": [{"name": "x"}]}, "rule 'x'"),
        ({"rule": [{"name": "x", "figure": "grids.{grid}.nope", "above": 1}]}, "no path of docs/metrics.md"),
        ({"rule": [{"name": "cpu", "for": "10 parsecs"}]}, "rule 'cpu'.for"),
        ({"rule": [{"name": "cpu", "channels": ["nobody"]}]}, "there is no channel 'nobody'"),
        ({"time_zone": "Europe/Wien"}, "no IANA time zone"),
        ({"window": [{"at": "Son 02:00-04:00"}]}, "neither"),
    ],
)
def test_a_mistake_is_named(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsRefused, match=r"alerts\.toml") as refused:
        parse_alert_settings(given, "alerts.toml")
    assert told in str(refused.value)


def test_addresses_of_channels_are_in_no_message() -> None:
    with pytest.raises(SettingsRefused) as refused:
        parse_alert_settings({"channels": {"mail": {"url": "mailto://u:hunter2@example.org"}}})
    assert "hunter2" not in str(refused.value)


def test_the_files_words_on_a_rule_built_in_change_only_what_they_say() -> None:
    rules = parse_alert_settings(
        {
            "channels": {"mail": "json://x"},
            "rule": [{"name": "spool", "for": "1h"}, {"name": "cpu", "enabled": False}],
        }
    ).rules
    assert (rules["spool"].when, rules["spool"].for_s, rules["spool"].channels) == (
        "spool_age_s",
        3600.0,
        ("mail",),
    )
    assert "cpu" not in rules
