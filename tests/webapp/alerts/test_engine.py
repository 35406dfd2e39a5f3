"""The life of an alert: told once, of the cause, to the end."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.short import examples
from webapp.alerts.engine import acknowledge, step
from webapp.alerts.model import AlertKey, Known, Notice, Observation, Seen, Silence
from webapp.alerts.rules.rules import AlertRule, parse_alert_settings

CHANNELS = {"mail": "json://127.0.0.1", "page": "json://127.0.0.1", "boss": "json://127.0.0.1"}
RULES: Mapping[str, AlertRule] = parse_alert_settings(
    {
        "channels": CHANNELS,
        "rule": [
            {"name": "grid_silent", "for": 0, "channels": ["mail", "page"], "escalate_to": ["boss"]},
            {"name": "vms_error", "for": "10m"},
            {"name": "chunks", "figure": "grids.{grid}.fleet.chunks.active", "above": 35},
        ],
    }
).rules
SILENT = AlertKey("grid_silent", "atlas")
ERROR = AlertKey("vms_error", "atlas/cern")
CHUNKS = AlertKey("chunks", "atlas")
Told = list[tuple[int, str, str, tuple[str, ...]]]


class World:
    """Goes through minutes and keeps what was said in each."""

    def __init__(self) -> None:
        self.known = Known()
        self.told: Told = []
        self.notices: list[Notice] = []
        self.silences: list[Silence] = []

    def minute(self, minute: int, *seen: Seen, unknown: frozenset[AlertKey] = frozenset()) -> None:
        observed = Observation({one.key: one for one in seen}, unknown)
        result = step(self.known, RULES, observed, self.silences, minute * 60.0)
        self.known = result.known
        self.notices += result.notices
        self.told += [(minute, one.kind, one.alert.key.rule, one.channels) for one in result.notices]


def test_a_cause_is_told_once_and_its_symptoms_never() -> None:
    world = World()
    errors = [Seen(AlertKey("vms_error", f"atlas/c{n}"), "3 VMs in error") for n in range(12)]
    for minute in range(9):
        world.minute(minute, *errors)
    assert world.told == [], "ten minutes must pass first"
    behind = [Seen(one.key, one.text, cause=SILENT) for one in errors]
    for minute in range(9, 25):
        world.minute(minute, Seen(SILENT, "no data"), *behind)
    assert world.told == [
        (9, "firing", "grid_silent", ("mail", "page")),
        (19, "escalated", "grid_silent", ("boss",)),
    ]
    assert len(world.notices[-1].behind) == 12
    for minute in range(25, 40):
        world.minute(minute)
    assert world.told[2:] == [(30, "resolved", "grid_silent", ("mail", "page", "boss"))]


def test_symptoms_have_three_minutes_to_settle_when_their_cause_has_ended() -> None:
    world = World()
    for minute in range(12):
        world.minute(minute, Seen(SILENT, "no data"), Seen(ERROR, "3 VMs", cause=SILENT))
    for minute in range(12, 18):
        world.minute(minute, Seen(ERROR, "3 VMs"))
    assert [(at, rule) for at, kind, rule, _ in world.told if kind == "firing"] == [
        (0, "grid_silent"),
        (15, "vms_error"),
    ]


def test_flapping_is_told_once() -> None:
    world = World()
    for minute in range(40):
        world.minute(minute, *([Seen(CHUNKS, "36 active")] if minute % 2 else []))
    assert [kind for _, kind, _, _ in world.told] == ["firing"]
    for minute in range(40, 101):
        world.minute(minute)
    assert world.told[1:] == [(100, "resolved", "chunks", ("mail",))]


def test_what_is_unknown_neither_begins_nor_ends_and_its_clock_stands() -> None:
    world = World()
    for minute in range(5):
        world.minute(minute, Seen(ERROR, "3 VMs"))
    for minute in range(5, 30):
        world.minute(minute, unknown=frozenset({ERROR}))
    assert world.told == []
    for minute in range(30, 41):
        world.minute(minute, Seen(ERROR, "3 VMs"))
    assert [at for at, *_ in world.told] == [35]
    for minute in range(41, 90):
        world.minute(minute, unknown=frozenset({ERROR}))
    assert len(world.told) == 1


def test_an_acknowledgement_ends_by_itself_and_then_is_told_again() -> None:
    world = World()
    world.minute(0, Seen(SILENT, "no data"))
    world.known = acknowledge(world.known, SILENT, "eva", 4 * 3600.0, "on it")
    for minute in range(1, 260):
        world.minute(minute, Seen(SILENT, "no data"))
    assert [(at, kind) for at, kind, *_ in world.told] == [
        (0, "firing"),
        (240, "repeated"),
        (250, "escalated"),
    ]
    assert world.notices[1].because == "the acknowledgement by eva has ended"


def test_an_acknowledgement_that_is_taken_back_is_told_at_once() -> None:
    world = World()
    world.minute(0, Seen(SILENT, "no data"))
    world.known = acknowledge(world.known, SILENT, "eva", 4 * 3600.0, "on it")
    world.minute(1, Seen(SILENT, "no data"))
    world.known = acknowledge(world.known, SILENT, "eva", 0.0, "on it")
    for minute in range(2, 4):
        world.minute(minute, Seen(SILENT, "no data"))
    assert [(at, kind) for at, kind, *_ in world.told] == [(0, "firing"), (2, "repeated")]


def test_a_silence_that_ends_is_told_before_and_when_something_still_holds() -> None:
    world = World()
    world.silences = [Silence("*", "atlas", 0.0, 3600.0, "eva", "new switch", number=1)]
    for minute in range(62):
        world.minute(minute, Seen(CHUNKS, "36 active"))
    assert [(at, kind) for at, kind, *_ in world.told] == [(45, "silence_ending"), (60, "firing")]
    assert world.notices[-1].because == "the silence by eva (new switch) has ended"


def test_who_heard_the_beginning_hears_the_end_in_a_silence_too() -> None:
    world = World()
    world.minute(0, Seen(CHUNKS, "36 active"))
    world.silences = [Silence("*", "*", 0.0, 1e9, "eva", number=1)]
    for minute in range(1, 10):
        world.minute(minute)
    assert [(at, kind) for at, kind, *_ in world.told] == [(0, "firing"), (6, "resolved")]


def test_a_silence_of_a_place_leaves_the_neighbour_of_a_longer_name() -> None:
    silence = Silence("*", "atlas", 0.0, 9.0, "eva")
    assert silence.covers(ERROR, 1.0)
    assert not silence.covers(AlertKey("vms_error", "atlas2/cern"), 1.0)
    assert not silence.covers(ERROR, 9.0)


def test_a_clock_that_is_set_back_tells_nothing_twice() -> None:
    world = World()
    for minute in (600, 601, 541, 542, 543, 600, 601, 602):
        world.minute(minute, Seen(CHUNKS, "36 active"))
    assert [kind for _, kind, *_ in world.told] == ["firing"]


def test_an_alert_whose_rule_is_gone_is_closed_where_it_was_told() -> None:
    world = World()
    world.minute(0, Seen(CHUNKS, "36 active"))
    ended = step(world.known, {}, Observation({}), (), 60.0)
    assert [(one.kind, one.channels) for one in ended.notices] == [("resolved", ("mail",))]
    assert ended.known.alerts == {}


MOMENTS = st.lists(
    st.tuples(
        st.sets(st.sampled_from([SILENT, ERROR, CHUNKS])), st.sets(st.sampled_from([SILENT, ERROR, CHUNKS])),
        st.booleans(),
    ),
    max_size=60,
)  # fmt: skip


@settings(max_examples=examples(150))
@given(MOMENTS)
def test_no_end_without_a_beginning_nothing_in_a_silence_nothing_twice(
    moments: list[tuple[set[AlertKey], set[AlertKey], bool]],
) -> None:
    world = World()
    open_now: set[str] = set()
    ids: set[str] = set()
    for minute, (holds, unknown, is_silenced) in enumerate(moments):
        world.silences = [Silence("*", "*", 0.0, 1e9, "eva", number=1)] if is_silenced else []
        before = len(world.notices)
        world.minute(minute * 3, *(Seen(key, "x") for key in holds), unknown=frozenset(unknown - holds))
        for notice in world.notices[before:]:
            assert notice.id not in ids
            ids.add(notice.id)
            if notice.kind == "firing":
                assert notice.alert.id not in open_now
                open_now.add(notice.alert.id)
            elif notice.kind == "resolved":
                assert notice.alert.key not in unknown - holds
                open_now.remove(notice.alert.id)
            else:
                assert notice.alert.id in open_now
            assert notice.kind == "resolved" or not is_silenced


@settings(max_examples=examples(100))
@given(st.lists(st.sets(st.sampled_from([ERROR, CHUNKS])), min_size=1, max_size=30))
def test_a_worse_world_never_tells_less(moments: list[set[AlertKey]]) -> None:
    """Whoever hears of something hears of it, or of its cause, when its cause holds as well."""
    mild, worse = World(), World()
    for minute, holds in enumerate(moments):
        mild.minute(minute, *(Seen(key, "x") for key in holds))
        worse.minute(minute, Seen(SILENT, "no data"), *(Seen(key, "x", cause=SILENT) for key in holds))
    if any(kind == "firing" for _, kind, *_ in mild.told):
        assert [(kind, rule) for _, kind, rule, _ in worse.told if kind == "firing"] == [
            ("firing", "grid_silent")
        ]
