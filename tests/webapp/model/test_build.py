"""Series in, tree out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloud_monitor.metrics.paths import METRICS, build_path
from tests.webapp.sample import STATES, sample_values
from webapp.model.build import GridOrder, add_up, build_snapshot
from webapp.model.tree import Value

NOW = 1_800_000_000
names = st.from_regex(r"[a-z0-9_-]{1,8}", fullmatch=True)


def test_a_cloud_has_its_rows_and_their_sum() -> None:
    snapshot = build_snapshot(NOW, sample_values(NOW))
    belle = next(grid for grid in snapshot.grids if grid.name == "belle")
    cern = next(cloud for cloud in belle.clouds if cloud.name == "cern")
    assert [row.name for row in cern.vmtypes] == ["large", "small"]
    assert cern.vmtypes[0].states["running"] == Value("grids.belle.clouds.cern.vms.large.running", 40.0, NOW)
    assert cern.total.states["running"] == Value("grids.belle.clouds.cern.vms.*.running", 80.0, NOW)
    assert set(cern.total.states) == set(STATES)
    assert list(cern.vmtypes[0].slots) == [f"slot1_{number}" for number in range(1, 9)]
    assert belle.heartbeats["condor"].value == 1
    assert belle.held["13"].path == "grids.belle.held.code_13"
    assert belle.condor["schedd"]["schedd_1"]["duty_cycle"].value == 0.12


def test_totals_are_as_old_as_their_oldest_part() -> None:
    snapshot = build_snapshot(NOW, sample_values(NOW, grids=("belle", "quiet")))
    assert snapshot.jobs["idle"] == Value("grids.*.jobs.all.idle", 240.0 + 480.0, NOW - 3600)
    running = snapshot.total.states["running"]
    assert (running.path, running.timestamp) == ("grids.*.clouds.*.vms.*.running", NOW - 3600)


def test_the_collectors_own_totals_are_not_counted_twice() -> None:
    def idle(vmtype: str, value: float) -> Value:
        return Value(build_path("cloud_idle", grid="g", cloud="c", vmtype=vmtype), value, NOW)

    snapshot = build_snapshot(NOW, [idle("a", 2), idle("b", 3), idle("total", 5)])
    cloud = snapshot.grids[0].clouds[0]
    assert [row.name for row in cloud.vmtypes] == ["a", "b"]
    assert cloud.total.idle == Value("grids.g.clouds.c.idle.total", 5, NOW)
    assert snapshot.grids[0].total.idle.value == 5


def test_what_is_absent_is_missing_and_can_still_be_plotted() -> None:
    snapshot = build_snapshot(NOW, [Value("grids.g.clouds.c.quota", 4.0, NOW)])
    cloud = snapshot.grids[0].clouds[0]
    assert cloud.enabled == Value("grids.g.clouds.c.enabled", None, None)
    assert (cloud.vmtypes, cloud.total.idle.value) == ((), None)


def test_grids_are_ordered_and_hidden_as_set() -> None:
    values = [Value(f"grids.{name}.heartbeat.condor", 1.0, NOW) for name in ("a", "b", "c", "d")]
    snapshot = build_snapshot(NOW, values, GridOrder(first=("c",), hidden=frozenset({"b"})))
    assert [grid.name for grid in snapshot.grids] == ["c", "a", "d"]


def test_one_name_for_a_figure_and_a_group_of_a_command() -> None:
    values = [Value("grids.g.commands.c.x", 1.0, NOW), Value("grids.g.commands.c.x.y", 2.0, NOW)]
    for order in (values, values[::-1]):
        commands = build_snapshot(NOW, order).grids[0].own.commands
        assert {name: value.value for name, value in commands.items()} == {"c.x": 1.0, "c.x.y": 2.0}


@st.composite
def _paths(draw: st.DrawFn) -> str:
    metric = draw(st.sampled_from(METRICS))
    fields = [part.split("}")[0] for part in metric.template.split("{")[1:]]
    return build_path(metric.key, **{field: draw(names) for field in fields})


@given(st.lists(_paths(), max_size=30, unique=True), st.randoms(use_true_random=False))
def test_any_paths_in_any_order_give_one_tree(paths: list[str], random: object) -> None:
    values = [Value(path, float(number), NOW) for number, path in enumerate(paths)]
    shuffled = values.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert build_snapshot(NOW, shuffled).grids == build_snapshot(NOW, values).grids


@given(st.lists(st.tuples(st.none() | st.integers(-100, 100), st.integers(0, 1000)), max_size=6))
def test_a_sum_leaves_out_what_is_missing(parts: list[tuple[int | None, int]]) -> None:
    total = add_up("x", [Value("p", value, timestamp) for value, timestamp in parts])
    there = [(value, timestamp) for value, timestamp in parts if value is not None]
    assert total.value == (sum(value for value, _ in there) if there else None)
    assert total.timestamp == min((timestamp for _, timestamp in there), default=None)
