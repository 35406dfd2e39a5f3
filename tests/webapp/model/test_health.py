"""Health: the cause comes first and is named, symptoms below it; nothing that gets worse looks better."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import webapp.model
from cloud_monitor.metrics.catalog import METRICS, PRODUCERS_OF_SERVICE
from cloud_monitor.metrics.paths import build_path
from webapp.model.build import build_snapshot
from webapp.model.health import OK, Condition, Finding, Health, HealthRules, Key, Level, Since, worst
from webapp.model.judge import judge_health
from webapp.model.options import complete_thresholds
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Value
from webapp.settings import Settings

NOW = 1_800_000_000
STALE_AFTER_S = 180
RULES = HealthRules(complete_thresholds({}), {"g": "Grid G"}, {"condor": "HTCondor", "cloud_scheduler": "CS"})
WELL = PollOutcome(attempted_at=NOW, finished_at=NOW, succeeded_at=NOW)


def judged(*values: Value, outcome: PollOutcome = WELL) -> Health:
    view = SnapshotView(build_snapshot(NOW, values), outcome, NOW, STALE_AFTER_S)
    return judge_health(view, RULES)


def errors(cloud: str, count: float, age_s: int = 0) -> Value:
    path = build_path("cloud_vms", grid="g", cloud=cloud, vmtype="small", status="error")
    return Value(path, count, NOW - age_s)


def beat(service: str, value: float = 1.0, age_s: int = 0, grid: str = "g") -> Value:
    return Value(build_path("heartbeat", grid=grid, service=service), value, NOW - age_s)


def finding_of(*values: Value, outcome: PollOutcome = WELL) -> Finding:
    return worst(judged(*values, outcome=outcome).findings())


def told(health: Health) -> list[tuple[str, list[str]]]:
    """Each cause with its symptoms, as words."""
    return [(finding.text, [symptom.text for symptom in finding.symptoms]) for finding in health.findings()]


def test_the_worst_child_is_the_cause_and_is_named() -> None:
    finding = finding_of(errors("a", 1), errors("b", 12), errors("c", 0))
    assert finding == Finding(Level.BAD, "12 VMs in error", ("Grid G", "b"))
    assert finding.text == "Grid G / b: 12 VMs in error"


def test_a_schedd_of_several_that_does_not_answer_is_told_with_the_sums() -> None:
    def peers(answered: float) -> list[Value]:
        return [
            Value(build_path(key, grid="g", peers="schedds"), value, NOW)
            for key, value in (("condor_asked", 3), ("condor_answered", answered))
        ]

    assert finding_of(*peers(3)) == OK
    finding = finding_of(*peers(2))
    assert (finding.level, finding.text) == (Level.WARN, "Grid G: 2 of 3 schedds answer, sums are of these")


def test_nothing_wrong_is_ok_and_has_no_text() -> None:
    assert finding_of(errors("a", 0)) == OK
    assert OK.text == ""
    assert worst([]) == OK


def test_a_service_that_answers_no_more_is_bad_and_a_grid_without_data_stale() -> None:
    assert finding_of(beat("condor", 0.0)).text == "Grid G: HTCondor does not answer"
    lost = finding_of(beat("condor", 1.0, 300), errors("a", 0))
    assert lost.text == "Grid G: HTCondor heartbeat lost for 5 min"
    quiet = finding_of(beat("condor", 1.0, 3600))
    assert (quiet.level, quiet.text) == (Level.STALE, "Grid G: no data for 1 h")


def test_held_jobs_are_judged_by_their_share() -> None:
    def jobs(held: int, total: int) -> list[Value]:
        return [
            Value(build_path("jobs", grid="g", jobtype="all", status=status), float(count), NOW)
            for status, count in (("held", held), ("total", total))
        ]

    assert finding_of(*jobs(9, 100)) == OK
    assert finding_of(*jobs(10, 100)).text == "Grid G: 10 % of the jobs are held"
    assert finding_of(*jobs(60, 100)).level is Level.BAD
    assert finding_of(*jobs(0, 0)) == OK


def test_with_the_cloud_scheduler_silent_twelve_clouds_are_one_cause() -> None:
    clouds = [errors(f"c{number:02}", 0, 600) for number in range(12)]
    health = judged(beat("cloud_scheduler", 0.0), beat("condor"), *clouds)
    assert told(health) == [
        ("Grid G: CS does not answer", [f"Grid G / c{number:02}: no data for 10 min" for number in range(12)])
    ]
    grid = health.view.snapshot.grids[0]
    assert health.grid(grid) == Finding(Level.STALE, "CS does not answer")
    assert health.cloud(grid.clouds[3]) == Finding(Level.STALE, "CS does not answer")
    assert [finding.text for finding in health.cloud_findings(grid.clouds[3])] == ["CS does not answer"]


def test_a_cloud_that_htcondor_alone_knows_is_a_symptom_of_htcondor() -> None:
    health = judged(beat("cloud_monitor"), beat("condor", 0.0), errors("c", 0, 600))
    assert told(health) == [("Grid G: HTCondor does not answer", ["Grid G / c: no data for 10 min"])]
    both = judged(beat("cloud_scheduler"), beat("condor", 0.0), errors("c", 0, 600))
    assert [text for text, _ in told(both)] == [
        "Grid G / c: no data for 10 min",  # the cloud scheduler answers, and says no more of it
        "Grid G: HTCondor does not answer",
    ]


def test_when_the_poll_fails_that_is_the_one_cause_and_nothing_is_without_data_beside_it() -> None:
    failing = replace(WELL, error="http://graphite answered 500", failures=3)
    grids = [beat("condor", 1.0, 900, grid) for grid in "abcde"]
    health = judged(*grids, outcome=failing)
    assert [cause.key for cause in health.causes] == [Key("poll_failing")]
    assert health.findings()[0].text == "Graphite: poll fails: http://graphite answered 500"
    for grid in health.view.snapshot.grids:  # their figures are old all the same
        assert health.grid(grid).text == "Graphite: poll fails: http://graphite answered 500"
        assert health.grid(grid).level is Level.STALE


def test_while_the_poll_fails_what_was_seen_last_is_still_told_where_it_is() -> None:
    failing = replace(WELL, error="down", failures=1)
    health = judged(errors("b", 12, 60), outcome=failing)
    assert told(health) == [("Graphite: poll fails: down", ["Grid G / b: 12 VMs in error"])]
    assert health.grid(health.view.snapshot.grids[0]).text == "b: 12 VMs in error"


def test_polls_that_have_stopped_are_the_cause_too() -> None:
    stopped = replace(WELL, finished_at=NOW - 3600)
    assert [text for text, _ in told(judged(beat("condor", 1.0, 3600), outcome=stopped))] == [
        "Graphite: not polled for 1 h"
    ]


def test_a_silent_grid_explains_its_heartbeats_and_clouds_and_a_collector_what_it_sends() -> None:
    health = judged(beat("condor", 1.0, 600), beat("cloud_monitor", 1.0, 600), errors("c", 12, 600))
    assert [cause.key for cause in health.causes] == [Key("grid_silent", "g")]
    assert len(health.conditions) == 4
    further = Value(build_path("host_heartbeat", grid="g", host="h2", service="condor"), 0.0, NOW)
    own = (beat("cloud_monitor", 1.0, 600), beat("condor", 1.0, 600), errors("c", 12, 600))
    assert [cause.key for cause in judged(further, *own).causes] == [
        Key("heartbeat_lost", "g", part="cloud_monitor"),
        Key("heartbeat_lost", "g", host="h2", part="condor"),
    ]


def test_a_cloud_that_cannot_be_reached_explains_its_vms_and_no_others() -> None:
    reachable = Value(build_path("cloud_reachable", grid="g", cloud="a"), 0.0, NOW)
    health = judged(reachable, errors("a", 12), errors("b", 1))
    assert told(health) == [
        ("Grid G / a: its interface does not answer", ["Grid G / a: 12 VMs in error"]),
        ("Grid G / b: 1 VM in error", []),
    ]
    assert health.causes[0].level is Level.BAD


def test_what_is_read_from_an_old_figure_is_unknown_and_not_over() -> None:
    fresh = Value(build_path("cloud_lost", grid="g", cloud="a", vmtype="small"), 0.0, NOW)
    health = judged(errors("a", 12, 600), fresh)
    assert health.conditions == ()
    assert health.is_unknown(Key("vms_error", "g", cloud="a"))
    assert not health.is_unknown(Key("vms_lost", "g", cloud="a"))
    silent = judged(errors("a", 12, 600))
    assert silent.is_unknown(Key("vms_lost", "g", cloud="a"))
    assert not silent.is_unknown(Key("grid_silent", "g"))
    assert judged().is_unknown(Key("grid_silent", "g"))  # nothing has been polled yet
    failing = judged(errors("a", 0), outcome=replace(WELL, error="down"))
    assert failing.is_unknown(Key("grid_silent", "g"))
    assert not failing.is_unknown(Key("poll_failing"))


def test_since_when_is_told_but_not_twice() -> None:
    view = judged(beat("condor", 0.0), beat("fleet", 1.0, 600)).view
    keys = [Key("heartbeat_lost", "g", part=service) for service in ("condor", "fleet")]
    health = judge_health(view, RULES, {keys[0]: Since(NOW - 7500, 0), keys[1]: Since(NOW - 7500, 14)})
    assert [(finding.reason, finding.since) for finding in health.findings()] == [
        ("HTCondor does not answer", "for 2 h 5 min"),
        ("fleet heartbeat lost for 10 min", "on and off 14 times"),
    ]


@given(
    st.tuples(st.sampled_from(["vms_error", "heartbeat_lost"]), *[st.text()] * 4).map(
        lambda names: Key(*names)
    )
)
def test_keys_are_words_and_can_be_read_back(key: Key) -> None:
    assert Key.parse(key.text) == key
    assert not set(key.text) & set(" \n<>&\"'")


@pytest.mark.parametrize("text", ["", "/g", "a/b/c/d/e/f"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the key of a condition"):
        Key.parse(text)


def test_every_service_has_producers_of_the_catalog() -> None:
    producers = {metric.producer for metric in METRICS}
    assert PRODUCERS_OF_SERVICE["cloud_monitor"] == producers
    assert all(found and found <= producers for found in PRODUCERS_OF_SERVICE.values())
    fed = [PRODUCERS_OF_SERVICE[service] for service in PRODUCERS_OF_SERVICE if service != "cloud_monitor"]
    assert frozenset().union(*fed) == producers - {"collector", "host", "commands"}
    assert PRODUCERS_OF_SERVICE.keys() == Settings.model_fields["heartbeat_names"].default.keys()


def test_the_model_asks_no_page() -> None:
    folder = Path(webapp.model.__path__[0])
    for path in folder.glob("*.py"):
        imported = {
            node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
        }
        above = ("webapp.pages", "webapp.views", "webapp.poll", "webapp.serving", "webapp.settings")
        assert not [name for name in imported if name and name.startswith(above)], path


KINDS = (
    "vms_error",
    "lost",
    "unreg",
    "reachable",
    "cpu",
    "held",
    "cloud_monitor",
    "cloud_scheduler",
    "condor",
)
leaves = st.lists(
    st.tuples(
        st.sampled_from(KINDS), st.sampled_from(["a", "b"]), st.integers(0, 40),
        st.sampled_from([0, 60, 170, 200, 4000]),
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip
outcomes = st.sampled_from(
    [WELL, replace(WELL, error="down", failures=2), replace(WELL, finished_at=NOW - 999)]
)
GOOD_WHEN_HIGH = ("reachable", "heartbeat")


def leaf(kind: str, cloud: str, count: float, age_s: int) -> Value:
    if kind in PRODUCERS_OF_SERVICE:
        return beat(kind, float(count > 20), age_s)
    path = {
        "vms_error": build_path("cloud_vms", grid="g", cloud=cloud, vmtype="small", status="error"),
        "lost": build_path("cloud_lost", grid="g", cloud=cloud, vmtype="small"),
        "unreg": build_path("cloud_unreg", grid="g", cloud=cloud, vmtype="small"),
        "reachable": build_path("cloud_reachable", grid="g", cloud=cloud),
        "cpu": build_path("sysinfo_cpu", grid="g"),
        "held": build_path("jobs", grid="g", jobtype="all", status="held"),
    }[kind]
    return Value(path, float(count > 20) if kind == "reachable" else float(count), NOW - age_s)


def values_of(found: list[tuple[str, str, int, int]]) -> dict[str, Value]:
    values = {leaf(*each).path: leaf(*each) for each in found}
    total = Value(build_path("jobs", grid="g", jobtype="all", status="total"), 100.0, NOW)
    return {**values, total.path: total}


def levels_of(health: Health) -> dict[str, Level]:
    """Of every place."""
    grid = health.view.snapshot.grids[0]
    return {
        "overall": worst(health.findings()).level,
        "grid": health.grid(grid).level,
        "host": health.host(grid, grid.own).level,
        **{cloud.name: health.cloud(cloud).level for cloud in grid.clouds},
    }


@settings(deadline=None)
@given(leaves, outcomes, st.data())
def test_a_leaf_that_worsens_never_improves_what_is_above(
    found: list[tuple[str, str, int, int]], outcome: PollOutcome, data: st.DataObject
) -> None:
    """One leaf of the tree gets worse; no cloud, host, grid or total may look better."""
    values = values_of(found)
    worse = data.draw(st.sampled_from([path for path in values if not path.endswith("total")]))
    old = values[worse]
    assert old.value is not None
    value = (
        0.0 if any(kind in worse for kind in GOOD_WHEN_HIGH) else old.value + data.draw(st.integers(0, 60))
    )
    before = levels_of(judged(*values.values(), outcome=outcome))
    after = levels_of(judged(*{**values, worse: old._replace(value=value)}.values(), outcome=outcome))
    assert {place for place, level in after.items() if level < before[place]} == set()


@settings(deadline=None)
@given(leaves)
def test_going_quiet_altogether_never_looks_like_getting_better(
    found: list[tuple[str, str, int, int]],
) -> None:
    values = {leaf(*each).path: leaf(*each) for each in found}
    quiet = [value._replace(timestamp=NOW - 5000) for value in values.values()]
    assert finding_of(*quiet).level >= finding_of(*values.values()).level


@settings(deadline=None)
@given(leaves, outcomes)
def test_a_cause_never_ranks_below_its_symptoms(
    found: list[tuple[str, str, int, int]], outcome: PollOutcome
) -> None:
    health = judged(*values_of(found).values(), outcome=outcome)
    places = {condition.key: place for place, condition in enumerate(health.conditions)}
    assert len(places) == len(health.conditions)
    by_key: dict[Key, Condition] = {condition.key: condition for condition in health.conditions}
    for condition in health.conditions:
        if condition.cause is not None:
            cause = by_key[condition.cause]
            assert cause.cause is None
            assert cause.level >= condition.level
            assert cause.key.rank < condition.key.rank
            assert places[cause.key] < places[condition.key]
    assert [cause.level for cause in health.causes] == sorted(
        (one.level for one in health.causes), reverse=True
    )


@settings(deadline=None)
@given(leaves, outcomes)
def test_with_the_poll_failing_there_is_exactly_one_cause(
    found: list[tuple[str, str, int, int]], outcome: PollOutcome
) -> None:
    health = judged(*values_of(found).values(), outcome=outcome)
    if outcome is not WELL:
        assert [cause.key for cause in health.causes] == [Key("poll_failing")]
    assert len(health.findings()) == len(health.causes)
