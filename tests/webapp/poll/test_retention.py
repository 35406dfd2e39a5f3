"""What becomes of series that vanish."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from webapp.graphite.steps import Series, SeriesPoint
from webapp.model.tree import Value
from webapp.poll.retention import carry_forward, group_of, newest_value

NOW = 1_800_000_000
IDLE = "grids.g.clouds.c.vms.small.running"
QUOTA = "grids.g.clouds.c.quota"
LOAD = "grids.g.sysinfo.load"


def carry(found: list[Value], known: list[Value]) -> dict[str, Value]:
    return {value.path: value for value in carry_forward(found, known, NOW, 3600, 30 * 86400)}


def test_a_vanished_series_stays_with_its_age() -> None:
    old = Value(IDLE, 4.0, NOW - 600)
    assert carry([Value(QUOTA, 9.0, NOW)], [old])[IDLE] == old


def test_it_is_forgotten_when_its_producer_goes_on_without_it() -> None:
    assert IDLE not in carry([Value(QUOTA, 9.0, NOW)], [Value(IDLE, 4.0, NOW - 3601)])


def test_it_stays_while_only_other_producers_go_on() -> None:
    old = Value(IDLE, 4.0, NOW - 86400)
    assert carry([Value(LOAD, 1.0, NOW)], [old])[IDLE] == old


def test_a_grid_that_fell_silent_is_forgotten_at_last() -> None:
    assert not carry([], [Value(IDLE, 4.0, NOW - 31 * 86400)])


def test_what_is_found_replaces_what_was_known() -> None:
    found = Value(IDLE, 5.0, NOW)
    assert carry([found], [Value(IDLE, 4.0, NOW - 60)]) == {IDLE: found}


def test_paths_outside_the_catalog_are_nobodys() -> None:
    assert group_of("carbon.agents.host.cpuUsage") is None
    assert group_of("grids.g.clouds.c") is None
    assert group_of("grids.g.clouds..quota") is None
    assert group_of(LOAD) == ("g", "host")
    assert group_of("util.live_hosts.g.vm-1") is not None


def test_names_outside_the_grammar_are_shown_all_the_same() -> None:
    assert group_of("grids.<g>.clouds.<script>alert(1)</script>.quota") == ("<g>", "cloudscheduler")


_values = st.lists(
    st.builds(Value, st.sampled_from([IDLE, QUOTA, LOAD]), st.floats(0, 9), st.integers(NOW - 10**7, NOW)),
    max_size=3,
)


@given(_values, _values)
def test_what_is_found_is_never_lost(found: list[Value], known: list[Value]) -> None:
    carried = carry_forward(found, known, NOW, 3600, 30 * 86400)
    assert carried[: len(found)] == found
    assert {value.path for value in carried[len(found) :]}.isdisjoint(value.path for value in found)


def test_names_that_are_no_text_belong_to_nobody() -> None:
    for name in ("\ud800", "a\0b", "a\x1b[31m", "a\nb", "\u202e", "a" * 2000):
        assert group_of(f"grids.{name}.sysinfo.load") is None, ascii(name)
        assert carry([], [Value(f"grids.{name}.sysinfo.load", 1.0, NOW)]) == {}, ascii(name)
    assert group_of("grids.Zürich 2.sysinfo.load") == ("Zürich 2", "host")


def test_of_series_under_one_path_the_newest_value_counts() -> None:
    old = Series(f"{IDLE};env=test", [SeriesPoint(NOW - 120, 1.0), SeriesPoint(NOW - 60, None)])
    new = Series(IDLE, [SeriesPoint(NOW - 120, 2.0), SeriesPoint(NOW - 60, 3.0)])
    none = Series(IDLE, [SeriesPoint(NOW, None)])
    assert newest_value(none, {}) is None
    for order in ((old, new, none), (none, new, old)):
        known: dict[str, Value] = {}
        for series in order:
            if value := newest_value(series, known):
                known[value.path] = value
        assert known == {IDLE: Value(IDLE, 3.0, NOW - 60)}
