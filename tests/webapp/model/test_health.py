"""Health marks: the worst child decides and is named; nothing that gets worse makes anything look better."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloud_monitor.metrics.paths import build_path
from webapp.model.build import build_snapshot
from webapp.model.health import OK, Judge, Level, Mark, sort_worst_first, worst
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.thresholds import complete_thresholds
from webapp.model.tree import Value

NOW = 1_800_000_000
STALE_AFTER_S = 180


def judge_values(*values: Value) -> Judge:
    snapshot = build_snapshot(NOW, values)
    view = SnapshotView(snapshot, PollOutcome(), NOW, STALE_AFTER_S)
    return Judge(view, complete_thresholds({}), {"g": "Grid G"}, {"condor": "HTCondor"})


def errors(cloud: str, count: float, age_s: int = 0) -> Value:
    path = build_path("cloud_vms", grid="g", cloud=cloud, vmtype="small", status="error")
    return Value(path, count, NOW - age_s)


def mark_of(*values: Value) -> Mark:
    judge = judge_values(*values)
    return judge.snapshot(judge.view.snapshot)


def test_the_worst_child_is_the_cause_and_is_named() -> None:
    mark = mark_of(errors("a", 1), errors("b", 12), errors("c", 0))
    assert mark == Mark(Level.BAD, "12 VMs in error", ("Grid G", "b"))
    assert mark.text == "Grid G / b: 12 VMs in error"


def test_nothing_wrong_is_ok_and_has_no_text() -> None:
    assert mark_of(errors("a", 0)) == OK
    assert OK.text == ""
    assert worst([]) == OK


def test_a_service_that_answers_no_more_is_bad_and_a_grid_without_data_stale() -> None:
    beat = build_path("heartbeat", grid="g", service="condor")
    assert mark_of(Value(beat, 0.0, NOW)).text == "Grid G: HTCondor does not answer"
    assert (
        mark_of(Value(beat, 1.0, NOW - 300), errors("a", 0)).text
        == "Grid G: HTCondor heartbeat lost for 5 min"
    )
    assert mark_of(Value(beat, 1.0, NOW - 3600)) == Mark(Level.STALE, "no data for 1 h", ("Grid G",))


def test_held_jobs_are_judged_by_their_share() -> None:
    def jobs(held: int, total: int) -> list[Value]:
        return [
            Value(build_path("jobs", grid="g", jobtype="all", status=status), float(count), NOW)
            for status, count in (("held", held), ("total", total))
        ]

    assert mark_of(*jobs(9, 100)) == OK
    assert mark_of(*jobs(10, 100)).text == "Grid G: 10 % of the jobs are held"
    assert mark_of(*jobs(60, 100)).level is Level.BAD
    assert mark_of(*jobs(0, 0)) == OK


def test_what_needs_attention_is_sorted_worst_first_and_otherwise_as_it_came() -> None:
    marks = [
        Mark(Level.WARN, "1"),
        Mark(Level.OK),
        Mark(Level.STALE, "2"),
        Mark(Level.BAD, "3"),
        Mark(Level.WARN, "4"),
    ]
    assert [mark.reason for mark in sort_worst_first(marks)] == ["2", "3", "1", "4"]


leaves = st.lists(
    st.tuples(
        st.sampled_from(["vms_error", "lost", "unreg", "cpu", "heartbeat", "held"]),
        st.sampled_from(["a", "b"]),
        st.integers(0, 40),
        st.sampled_from([0, 60, 170, 200, 4000]),
    ),
    min_size=1,
    max_size=8,
)


def leaf(kind: str, cloud: str, count: float, age_s: int) -> Value:
    path = {
        "vms_error": build_path("cloud_vms", grid="g", cloud=cloud, vmtype="small", status="error"),
        "lost": build_path("cloud_lost", grid="g", cloud=cloud, vmtype="small"),
        "unreg": build_path("cloud_unreg", grid="g", cloud=cloud, vmtype="small"),
        "cpu": build_path("sysinfo_cpu", grid="g"),
        "heartbeat": build_path("heartbeat", grid="g", service="condor"),
        "held": build_path("jobs", grid="g", jobtype="all", status="held"),
    }[kind]
    value = 100.0 - count if kind == "heartbeat" else float(count)
    return Value(path, value if kind != "heartbeat" or count < 40 else 0.0, NOW - age_s)


@given(leaves, st.data())
def test_a_count_that_worsens_never_improves_what_is_above(
    found: list[tuple[str, str, int, int]], data: st.DataObject
) -> None:
    """One leaf of the tree gets a higher count of what is bad; no cloud, grid or total may look better."""
    values = {leaf(*each).path: leaf(*each) for each in found}
    total = Value(build_path("jobs", grid="g", jobtype="all", status="total"), 100.0, NOW)
    values[total.path] = total
    worse = data.draw(st.sampled_from([path for path in values if path != total.path]))
    old = values[worse]
    assert old.value is not None
    change = data.draw(st.integers(0, 60))
    value = min(old.value, 0.0) if "heartbeat" in worse else old.value + change
    assert (
        mark_of(*{**values, worse: old._replace(value=value)}.values()).level
        >= mark_of(*values.values()).level
    )


@given(leaves)
def test_going_quiet_altogether_never_looks_like_getting_better(
    found: list[tuple[str, str, int, int]],
) -> None:
    values = {leaf(*each).path: leaf(*each) for each in found}
    quiet = [value._replace(timestamp=NOW - 5000) for value in values.values()]
    assert mark_of(*quiet).level >= mark_of(*values.values()).level
