"""What a snapshot shows as alerts: causes, symptoms, what is unknown."""

from __future__ import annotations

import pytest

from tests.webapp.sample import NOW, sample_values
from webapp.alerts.model import Alert, AlertKey, Known
from webapp.alerts.observe import key_of, observe, place_of_key
from webapp.alerts.rules.rules import AlertRule, parse_alert_settings
from webapp.model.build import GridOrder, build_snapshot
from webapp.model.health import Health, HealthRules, Key
from webapp.model.judge import judge_health
from webapp.model.options import complete_thresholds
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Value

RULES = parse_alert_settings(
    {"rule": [{"name": "running", "figure": "grids.{grid}.clouds.{cloud}.vms.*.running", "above": 1}]}
).rules


def health_of(values: list[Value], error: str = "", now: float = NOW) -> Health:
    snapshot = build_snapshot(now, values, GridOrder((), frozenset()))
    view = SnapshotView(snapshot, PollOutcome(finished_at=now, error=error), int(now), 180)
    return judge_health(view, HealthRules(complete_thresholds({})))


def open_alert(rule: str, place: str) -> Known:
    key = AlertKey(rule, place)
    return Known({key: Alert(key, 1, "firing", NOW, "x")})


def test_a_figure_of_a_cloud_out_of_reach_waits_behind_it() -> None:
    values = [*sample_values(NOW, ("atlas",)), Value("grids.atlas.clouds.cern.reachable", 0.0, NOW)]
    observed, _ = observe(RULES, health_of(values), (), Known(), {}, NOW)
    assert observed.seen[AlertKey("running", "atlas/cern")].cause == AlertKey(
        "cloud_unreachable", "atlas/cern"
    )
    assert observed.seen[AlertKey("running", "atlas/uvic")].cause is None


def test_a_source_that_fails_waits_behind_the_service_that_does_not_answer() -> None:
    failed = [
        Value(f"grids.atlas.collector.source.{source}.failed", 1.0, NOW)
        for source in ("cloudscheduler", "host")
    ]
    heartbeat = "grids.atlas.heartbeat.cloud_scheduler"
    values = [one for one in sample_values(NOW, ("atlas",)) if one.path != heartbeat]
    rules = parse_alert_settings({}).rules
    observed, _ = observe(
        rules, health_of([*values, *failed, Value(heartbeat, 0.0, NOW)]), (), Known(), {}, NOW
    )
    causes = {key.place: one.cause for key, one in observed.seen.items() if key.rule == "collector_failures"}
    assert causes == {
        "atlas/cloudscheduler": AlertKey("heartbeat_lost", "atlas/cloud_scheduler"), "atlas/host": None,
    }  # fmt: skip


def test_a_poll_that_fails_makes_everything_unknown_and_is_seen_itself() -> None:
    known = open_alert("vms_error", "atlas/cern")
    health = health_of(sample_values(NOW, ("atlas",)), "refused", NOW + 900)
    observed, _ = observe(RULES, health, (), known, {}, NOW + 900)
    assert list(observed.seen) == [AlertKey("poll_failing", "")]
    assert {AlertKey("vms_error", "atlas/cern"), AlertKey("running", "atlas/cern")} <= observed.unknown


def test_a_silent_grid_leaves_open_what_was_of_it() -> None:
    known = open_alert("running", "quiet/gone")
    observed, _ = observe(RULES, health_of(sample_values(NOW)), (), known, {}, NOW)
    assert AlertKey("grid_silent", "quiet") in observed.seen
    assert AlertKey("running", "quiet/gone") in observed.unknown


def test_what_is_gone_from_a_grid_that_sends_is_over() -> None:
    known = open_alert("running", "atlas/gone")
    observed, _ = observe(RULES, health_of(sample_values(NOW)), (), known, {}, NOW)
    assert AlertKey("running", "atlas/gone") not in observed.unknown | observed.seen.keys()


def test_symptoms_stand_for_themselves_where_no_rule_is_on_their_cause() -> None:
    values = [*sample_values(NOW, ("atlas",)), Value("grids.atlas.clouds.cern.reachable", 0.0, NOW)]
    rules = {name: rule for name, rule in RULES.items() if name != "cloud_unreachable"}
    observed, _ = observe(rules, health_of(values), (), Known(), {}, NOW)
    assert observed.seen[AlertKey("running", "atlas/cern")].cause is None


def test_a_rule_of_some_places_is_on_those_alone() -> None:
    rules = {"running": replace_places("atlas")}
    observed, _ = observe(rules, health_of(sample_values(NOW)), (), Known(), {}, NOW)
    assert {key.place.split("/")[0] for key in observed.seen} == {"atlas"}


def replace_places(*places: str) -> AlertRule:
    return RULES["running"].model_copy(update={"places": places})


@pytest.mark.parametrize(
    "key",
    [
        Key("poll_failing"), Key("grid_silent", "a/b"), Key("cloud_silent", "a", "c/1"), Key("cpu_pct", "a"),
        Key("cpu_pct", "a", host="h 1"), Key("heartbeat_lost", "a", part="condor"),
        Key("heartbeat_lost", "a", host="condor", part="condor"), Key("vms_lost", "ä", "c"),
    ],
)  # fmt: skip
def test_a_place_says_which_condition_it_is_of(key: Key) -> None:
    assert key_of(key.kind, place_of_key(key)) == key
